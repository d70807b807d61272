/**
 * A page that sends one camera, encoded as the test says, and shows what others send, in the layers that the test asks for.
 * It knows the server by its protocol only, and media by mediasoup-client as it is published.
 */

import { Device, type types } from 'mediasoup-client';
import { io } from 'socket.io-client';

import type { Answer, Payload, RequestName } from '../../src/protocol/events';
import type { ConsumerLayers, NewProducer } from '../../src/protocol/generated/messages';

export interface Picture {
  mimeType: string;
  width: number;
  height: number;
  frameRate: number;
  encodings: types.RtpEncodingParameters[];
}

/** One RTP stream that is sent. */
export interface Sent {
  rid: string;
  codec: string;
  frameWidth: number;
  framesEncoded: number;
  /** Chromium tells. */
  scalabilityMode: string;
  encoder: string;
  pliCount: number;
  nackCount: number;
}

export interface Received {
  codec: string;
  frameWidth: number;
  framesDecoded: number;
  keyFramesDecoded: number;
  freezeCount: number;
  /** Chromium tells. */
  decoder: string;
  pliCount: number;
  nackCount: number;
  packetsLost: number;
  /** Longest time in which no frame was decoded, in milliseconds. */
  longestPauseMs: number;
  /** What the server says it sends. */
  layers: ConsumerLayers | undefined;
}

export interface Peer {
  /** What this browser can encode, as MIME types. */
  encoders: () => string[];
  publish: (picture: Picture) => Promise<void>;
  sent: () => Promise<Sent[]>;
  prefer: (layer: { spatialLayer: number; temporalLayer: number }) => Promise<void>;
  received: () => Promise<Received | undefined>;
}

declare global {
  interface Window {
    peer?: Peer;
  }
}

/** Enough for every size from the start. */
const START_KBIT_PER_S = 1_500;
/** How often is looked whether frames were decoded. */
const LOOK_MS = 100;

const settings = new URLSearchParams(location.search);
const server = settings.get('server') ?? '';

const answered = await fetch(`${server}/api/guests`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ displayName: settings.get('name') }),
});
const { token } = (await answered.json()) as { token: string };

const socket = io(`${server}/room`, {
  auth: { token, roomId: settings.get('room') },
  transports: ['websocket'],
});

function request<N extends RequestName>(name: N, payload: Payload<N>): Promise<Answer<N>> {
  return new Promise((resolve, reject) => {
    const settle = (answer: Answer<N> & { error?: string }): void => {
      if (answer.error === undefined) resolve(answer);
      else reject(new Error(`${name}: ${answer.error}`));
    };
    if (payload === undefined) socket.emit(name, settle);
    else socket.emit(name, payload, settle);
  });
}

const device = await Device.factory();
const { rtpCapabilities } = await request('get-rtp-capabilities', undefined);
await device.load({ routerRtpCapabilities: rtpCapabilities as types.RtpCapabilities });

async function open(direction: 'send' | 'recv'): Promise<types.Transport> {
  const answer = await request('create-transport', { direction });
  const options = answer.transport as unknown as types.TransportOptions;
  const transport =
    direction === 'send' ? device.createSendTransport(options) : device.createRecvTransport(options);
  transport.on('connect', ({ dtlsParameters }, done, fail) => {
    request('connect-transport', { transportId: transport.id, dtlsParameters }).then(() => done(), fail);
  });
  return transport;
}

let producer: types.Producer | undefined;
let consumer: types.Consumer | undefined;
let layers: ConsumerLayers | undefined;

async function publish({ mimeType, width, height, frameRate, encodings }: Picture): Promise<void> {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width, height, frameRate } });
  const [track] = stream.getVideoTracks();
  const codec = device.sendRtpCapabilities.codecs?.find((each) => each.mimeType === mimeType);
  if (track === undefined || codec === undefined) throw new Error(`no camera, or no common ${mimeType}`);
  const transport = await open('send');
  transport.on('produce', ({ kind, rtpParameters }, done, fail) => {
    request('produce', { transportId: transport.id, kind, rtpParameters, source: 'camera' }).then(
      ({ producerId }) => done({ id: producerId }),
      fail,
    );
  });
  const codecOptions = { videoGoogleStartBitrate: START_KBIT_PER_S };
  producer = await transport.produce({ track, codec, encodings, codecOptions });
}

async function consume({ producerId }: NewProducer): Promise<void> {
  // Chromium names decoders to pages only that capture something themselves.
  await navigator.mediaDevices.getUserMedia({ audio: true });
  const transport = await open('recv');
  const payload = { transportId: transport.id, producerId, rtpCapabilities: device.recvRtpCapabilities };
  const answer = await request('consume', payload);
  if (!('consumer' in answer)) throw new Error('nothing to consume');
  consumer = await transport.consume(answer.consumer as unknown as types.ConsumerOptions);
  const video = document.createElement('video');
  video.autoplay = true;
  video.playsInline = true;
  video.muted = true;
  video.srcObject = new MediaStream([consumer.track]);
  document.body.append(video);
  await request('resume-consumer', { consumerId: consumer.id });
}

type Entry = Readonly<Record<string, unknown>>;

async function reportOf(of: types.Producer | types.Consumer, type: string): Promise<[Entry, string][]> {
  const report = (await of.getStats()) as unknown as ReadonlyMap<string, Entry>;
  const streams = [...report.values()].filter((entry) => entry['type'] === type);
  return streams.map((entry) => [entry, text(report.get(text(entry['codecId'])), 'mimeType')]);
}

function text(entry: unknown, name?: string): string {
  const value = name === undefined ? entry : (entry as Entry | undefined)?.[name];
  return typeof value === 'string' ? value : '';
}

function count(entry: Entry, name: string): number {
  const value = entry[name];
  return typeof value === 'number' ? value : 0;
}

/** When a new frame was last seen to be decoded, and how many had been by then. */
let newest = { at: performance.now(), framesDecoded: 0 };
let longestPauseMs = 0;

/** Only looks that find nothing new count, so that a page that is late itself makes no pause. */
async function watch(): Promise<void> {
  const [stream] = consumer === undefined ? [] : await reportOf(consumer, 'inbound-rtp');
  const framesDecoded = stream === undefined ? 0 : count(stream[0], 'framesDecoded');
  const at = performance.now();
  if (framesDecoded > newest.framesDecoded) newest = { at, framesDecoded };
  else if (newest.framesDecoded > 0) longestPauseMs = Math.max(longestPauseMs, at - newest.at);
  setTimeout(() => void watch(), LOOK_MS);
}

socket.on('new-producer', (announced: NewProducer) => void consume(announced));
socket.on('consumer-layers', (sent: ConsumerLayers) => (layers = sent));
void watch();

window.peer = {
  encoders: () => (RTCRtpSender.getCapabilities('video')?.codecs ?? []).map(({ mimeType }) => mimeType),
  publish,
  sent: async () => {
    const streams = producer === undefined ? [] : await reportOf(producer, 'outbound-rtp');
    return streams.map(([entry, codec]) => ({
      rid: text(entry, 'rid'),
      codec,
      frameWidth: count(entry, 'frameWidth'),
      framesEncoded: count(entry, 'framesEncoded'),
      scalabilityMode: text(entry, 'scalabilityMode'),
      encoder: text(entry, 'encoderImplementation'),
      pliCount: count(entry, 'pliCount'),
      nackCount: count(entry, 'nackCount'),
    }));
  },
  prefer: async (layer) => {
    if (consumer === undefined) throw new Error('nothing is consumed');
    await request('set-preferred-layers', { consumerId: consumer.id, ...layer });
  },
  received: async () => {
    const [stream] = consumer === undefined ? [] : await reportOf(consumer, 'inbound-rtp');
    if (stream === undefined) return undefined;
    const [entry, codec] = stream;
    return {
      codec,
      frameWidth: count(entry, 'frameWidth'),
      framesDecoded: count(entry, 'framesDecoded'),
      keyFramesDecoded: count(entry, 'keyFramesDecoded'),
      freezeCount: count(entry, 'freezeCount'),
      decoder: text(entry, 'decoderImplementation'),
      pliCount: count(entry, 'pliCount'),
      nackCount: count(entry, 'nackCount'),
      packetsLost: count(entry, 'packetsLost'),
      longestPauseMs,
      layers,
    };
  },
};
