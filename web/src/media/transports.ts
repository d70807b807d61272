/**
 * The two WebRTC connections to the server, one for each direction, opened when they are first needed. Watches them,
 * restarts ICE once when one fails, and explains the failure when that does not help.
 */

import { Device, type types } from 'mediasoup-client';

import { ProtocolError } from '../protocol/errors';
import type { Signalling } from '../protocol/events';
import type { Direction, IceServer } from '../protocol/generated/messages';
import { explain, type ConnectionFacts, type Explanation } from './failure';

export type TransportLink = 'idle' | 'connecting' | 'connected' | 'unstable' | 'failed';

export interface TransportHandlers {
  onLink(link: TransportLink): void;
  /** Nothing more can be done on these transports. */
  onFailed(explanation: Explanation): void;
}

/** A request that was not answered is made again after this. */
const RETRY_MS = 1_000;
/** Chromium itself gives up later; nobody waits that long without a word. */
const CONNECT_TIMEOUT_MS = 12_000;

interface Entry {
  transport: types.Transport;
  link: TransportLink;
  wasConnected: boolean;
  restarted: boolean;
  watchdog: ReturnType<typeof setTimeout> | undefined;
}

export class Transports {
  readonly #signalling: Signalling;
  readonly #iceServers: IceServer[];
  readonly #handlers: TransportHandlers;
  readonly #entries = new Map<Direction, Entry>();
  #device: Promise<Device> | undefined;
  #send: Promise<types.Transport> | undefined;
  #recv: Promise<types.Transport> | undefined;
  #closed = false;

  constructor(signalling: Signalling, iceServers: IceServer[], handlers: TransportHandlers) {
    this.#signalling = signalling;
    this.#iceServers = iceServers;
    this.#handlers = handlers;
  }

  device(): Promise<Device> {
    this.#device ??= this.#loadDevice().catch((error: unknown) => {
      this.#device = undefined;
      throw error;
    });
    return this.#device;
  }

  send(): Promise<types.Transport> {
    this.#send ??= this.#open('send').catch((error: unknown) => {
      this.#send = undefined;
      throw error;
    });
    return this.#send;
  }

  recv(): Promise<types.Transport> {
    this.#recv ??= this.#open('recv').catch((error: unknown) => {
      this.#recv = undefined;
      throw error;
    });
    return this.#recv;
  }

  /** Those that are open now, for statistics. */
  opened(): ReadonlyMap<Direction, types.Transport> {
    return new Map([...this.#entries].map(([direction, entry]) => [direction, entry.transport]));
  }

  /**
   * We are back on the same seat, perhaps with another address, and the browser notices late that nothing comes through:
   * each is to find its way anew. What works goes on meanwhile.
   */
  reconnected(): void {
    for (const entry of this.#entries.values()) {
      if (!entry.wasConnected) continue;
      entry.restarted = false;
      if (entry.link !== 'connected') void this.#recover(entry);
      else {
        this.#restart(entry).catch((error: unknown) => {
          if (!isDisconnected(error)) void this.#recover(entry);
        });
      }
    }
  }

  close(): void {
    this.#closed = true;
    for (const entry of this.#entries.values()) {
      clearTimeout(entry.watchdog);
      entry.transport.close();
    }
    this.#entries.clear();
  }

  async #loadDevice(): Promise<Device> {
    const device = await Device.factory();
    const { rtpCapabilities } = await this.#signalling.request('get-rtp-capabilities', undefined);
    // Checked field by field inside `load`.
    await device.load({ routerRtpCapabilities: rtpCapabilities as types.RtpCapabilities });
    return device;
  }

  async #open(direction: Direction): Promise<types.Transport> {
    const device = await this.device();
    const { transport: remote } = await this.#signalling.request('create-transport', { direction });
    if (this.#closed) throw new Error('closed while a transport was opened');
    const options: types.TransportOptions = {
      id: remote.id,
      iceParameters: remote.iceParameters as types.IceParameters,
      iceCandidates: remote.iceCandidates as types.IceCandidate[],
      dtlsParameters: remote.dtlsParameters as types.DtlsParameters,
      iceServers: remote.iceServers.length > 0 ? remote.iceServers : this.#iceServers,
    };
    const transport =
      direction === 'send' ? device.createSendTransport(options) : device.createRecvTransport(options);
    const entry: Entry = {
      transport,
      link: 'idle',
      wasConnected: false,
      restarted: false,
      watchdog: undefined,
    };
    this.#entries.set(direction, entry);
    transport.on('connect', ({ dtlsParameters }, done, fail) => {
      this.#signalling
        .request('connect-transport', { transportId: transport.id, dtlsParameters })
        .then(() => done(), fail);
    });
    transport.on('connectionstatechange', (state) => this.#handleState(entry, state));
    return transport;
  }

  #handleState(entry: Entry, state: types.ConnectionState): void {
    if (this.#closed) return;
    switch (state) {
      case 'connecting':
        this.#startWatchdog(entry);
        this.#setLink(entry, entry.wasConnected ? 'unstable' : 'connecting');
        return;
      case 'connected':
        clearTimeout(entry.watchdog);
        entry.wasConnected = true;
        entry.restarted = false;
        this.#setLink(entry, 'connected');
        return;
      case 'disconnected':
        this.#setLink(entry, 'unstable');
        return;
      case 'failed':
        void this.#recover(entry);
        return;
      case 'new':
      case 'closed':
        return;
    }
  }

  #startWatchdog(entry: Entry): void {
    clearTimeout(entry.watchdog);
    entry.watchdog = setTimeout(() => void this.#recover(entry), CONNECT_TIMEOUT_MS);
  }

  async #restart({ transport }: Entry): Promise<void> {
    const { iceParameters } = await this.#signalling.request('restart-ice', { transportId: transport.id });
    if (!this.#closed) await transport.restartIce({ iceParameters: iceParameters as types.IceParameters });
  }

  async #recover(entry: Entry): Promise<void> {
    clearTimeout(entry.watchdog);
    if (this.#closed) return;
    // Where nothing ever came through, the same addresses will not do better a second time.
    if (entry.wasConnected && !entry.restarted) {
      entry.restarted = true;
      this.#setLink(entry, 'unstable');
      try {
        await this.#restart(entry);
        this.#startWatchdog(entry);
        return;
      } catch (error) {
        // Without a connection to the server nothing can be said of the media; `reconnected` comes when there is one.
        if (this.#isOver() || isDisconnected(error)) return;
        if (error instanceof ProtocolError && error.code === 'TIMEOUT') {
          entry.restarted = false;
          entry.watchdog = setTimeout(() => void this.#recover(entry), RETRY_MS);
          return;
        }
        // The server cannot, or the transport is gone: told below.
      }
    }
    const facts = await factsOf(entry);
    if (this.#isOver() || entry.link === 'failed') return;
    this.#setLink(entry, 'failed');
    this.#handlers.onFailed(explain(facts));
  }

  /** Read again after every wait: `close` may have come in between. */
  #isOver(): boolean {
    return this.#closed;
  }

  #setLink(entry: Entry, link: TransportLink): void {
    if (this.#closed) return;
    entry.link = link;
    this.#handlers.onLink(worstOf([...this.#entries.values()].map((each) => each.link)));
  }
}

function isDisconnected(error: unknown): boolean {
  return error instanceof ProtocolError && error.code === 'DISCONNECTED';
}

/** The person sees one connection; it is as good as its worse half. */
export function worstOf(links: readonly TransportLink[]): TransportLink {
  const order: TransportLink[] = ['failed', 'unstable', 'connecting', 'connected'];
  return order.find((link) => links.includes(link)) ?? 'idle';
}

async function factsOf(entry: Entry): Promise<ConnectionFacts> {
  let localCandidates = 0;
  let responses = 0;
  const remote: { address: string; port: number; protocol: string }[] = [];
  const report = await entry.transport.getStats().catch(() => new Map<string, unknown>());
  for (const each of (report as ReadonlyMap<string, Record<string, unknown>>).values()) {
    if (each['type'] === 'local-candidate') localCandidates += 1;
    if (each['type'] === 'candidate-pair') responses += Number(each['responsesReceived'] ?? 0);
    if (each['type'] === 'remote-candidate') {
      remote.push({
        address: typeof each['address'] === 'string' ? each['address'] : '',
        port: Number(each['port'] ?? 0),
        protocol: each['protocol'] === 'tcp' ? 'TCP' : 'UDP',
      });
    }
  }
  const pageHost = window.location.hostname;
  return { wasConnected: entry.wasConnected, localCandidates, remote, responses, pageHost };
}
