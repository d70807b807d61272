/** What the media connections do, in numbers: for tests, and for whoever looks for the cause of a bad picture. */

import type { types } from 'mediasoup-client';

import type { Direction, NewProducer, Source } from '../protocol/generated/messages';

export interface InboundReport extends Omit<NewProducer, 'paused'> {
  consumerId: string;
  framesDecoded: number;
  framesDropped: number;
  freezeCount: number;
  /** Seconds. */
  totalFreezesDuration: number;
  frameWidth: number;
  frameHeight: number;
  packetsReceived: number;
  packetsLost: number;
  bytesReceived: number;
  keyFramesDecoded: number;
  /** Sum over the samples played so far (W3C webrtc-stats `totalAudioEnergy`). */
  totalAudioEnergy: number;
}

export interface OutboundReport {
  source: Source;
  producerId: string;
  paused: boolean;
  bytesSent: number;
  framesEncoded: number;
  /** One entry for each simulcast layer. */
  layers: { rid: string; active: boolean; frameWidth: number; bytesSent: number }[];
}

export interface MediaReport {
  transports: { direction: Direction; state: string; dtlsState: string; srtpCipher: string }[];
  inbound: InboundReport[];
  outbound: OutboundReport[];
}

type Entry = Readonly<Record<string, unknown>>;

export interface ReportSources {
  transports: ReadonlyMap<Direction, types.Transport>;
  consumers: readonly { producer: NewProducer; consumer: types.Consumer }[];
  producers: ReadonlyMap<Source, types.Producer>;
}

export async function reportOf({ transports, consumers, producers }: ReportSources): Promise<MediaReport> {
  const report: MediaReport = { transports: [], inbound: [], outbound: [] };
  for (const [direction, transport] of transports) {
    const stats = entriesOf(await transport.getStats());
    const dtls = stats.find((entry) => entry['type'] === 'transport');
    report.transports.push({
      direction,
      state: transport.connectionState,
      dtlsState: text(dtls, 'dtlsState'),
      srtpCipher: text(dtls, 'srtpCipher'),
    });
  }
  for (const { producer, consumer } of consumers) {
    const stats = entriesOf(await consumer.getStats());
    report.inbound.push(
      inboundOf(
        producer,
        consumer.id,
        stats.find((entry) => entry['type'] === 'inbound-rtp'),
      ),
    );
  }
  for (const [source, producer] of producers) {
    const stats = entriesOf(await producer.getStats());
    report.outbound.push(
      outboundOf(
        source,
        producer,
        stats.filter((entry) => entry['type'] === 'outbound-rtp'),
      ),
    );
  }
  return report;
}

function inboundOf(producer: NewProducer, consumerId: string, entry: Entry | undefined): InboundReport {
  return {
    producerId: producer.producerId,
    participantId: producer.participantId,
    kind: producer.kind,
    source: producer.source,
    consumerId,
    framesDecoded: count(entry, 'framesDecoded'),
    framesDropped: count(entry, 'framesDropped'),
    freezeCount: count(entry, 'freezeCount'),
    totalFreezesDuration: count(entry, 'totalFreezesDuration'),
    frameWidth: count(entry, 'frameWidth'),
    frameHeight: count(entry, 'frameHeight'),
    packetsReceived: count(entry, 'packetsReceived'),
    packetsLost: count(entry, 'packetsLost'),
    bytesReceived: count(entry, 'bytesReceived'),
    keyFramesDecoded: count(entry, 'keyFramesDecoded'),
    totalAudioEnergy: count(entry, 'totalAudioEnergy'),
  };
}

function outboundOf(source: Source, producer: types.Producer, entries: readonly Entry[]): OutboundReport {
  return {
    source,
    producerId: producer.id,
    paused: producer.paused,
    bytesSent: entries.reduce((sum, entry) => sum + count(entry, 'bytesSent'), 0),
    framesEncoded: entries.reduce((sum, entry) => sum + count(entry, 'framesEncoded'), 0),
    layers: entries.map((entry) => ({
      rid: text(entry, 'rid'),
      active: entry['active'] !== false,
      frameWidth: count(entry, 'frameWidth'),
      bytesSent: count(entry, 'bytesSent'),
    })),
  };
}

function entriesOf(report: RTCStatsReport): Entry[] {
  // The type library declares the report as a map of `any`.
  return [...(report as unknown as ReadonlyMap<string, Entry>).values()];
}

function count(entry: Entry | undefined, name: string): number {
  const value = entry?.[name];
  return typeof value === 'number' ? value : 0;
}

function text(entry: Entry | undefined, name: string): string {
  const value = entry?.[name];
  return typeof value === 'string' ? value : '';
}
