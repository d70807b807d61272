/**
 * The seat in a room as seen from the network: opening the namespace is joining, closing it is leaving. Requests are
 * answered or rejected within a time limit; a lost connection is taken up again until the server says no for good.
 * After each reconnect the server sends a fresh `room-state`; whatever hung on the old one is gone.
 */

import { Manager, type Socket } from 'socket.io-client';

import { connectErrorOf, ProtocolError, refusalOf } from './errors';
import type { Answer, Payload, RequestName, Signalling } from './events';
import type { RoomAuth, RoomEvents } from './generated/messages';
import { afterRefusal } from './retry';

export type { Manager };

export type Link =
  | { kind: 'connecting' }
  | { kind: 'joined' }
  | { kind: 'reconnecting'; reason: string }
  | { kind: 'refused'; error: ProtocolError }
  | { kind: 'closed' };

export interface RoomChannelOptions {
  manager: Manager;
  roomId: string;
  /** `fresh` asks for a token that was never used: the last one was refused. */
  token: (fresh: boolean) => Promise<string>;
  onLink: (link: Link) => void;
  /** An answer that has not come by then will not come. */
  requestTimeoutMs?: number;
}

/** The packet type "close" (Engine.IO protocol, version 4). */
const ENGINE_IO_CLOSE = '1';
const REQUEST_TIMEOUT_MS = 10_000;
/** After the server itself closed the connection (a restart, mostly). */
const RECONNECT_AFTER_SERVER_CLOSE_MS = 1_000;

/** One connection for all namespaces of this page. Polling comes first because it passes where WebSocket is blocked. */
export function openManager(url?: string): Manager {
  return new Manager(url ?? '', {
    autoConnect: false,
    reconnectionDelay: 500,
    reconnectionDelayMax: 5_000,
    timeout: 10_000,
  });
}

export class RoomChannel implements Signalling {
  readonly #options: RoomChannelOptions;
  readonly #socket: Socket;
  #token = '';
  #wasJoined = false;
  #refusals = 0;
  #closed = false;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #drainDelayMs: number | undefined;

  constructor(options: RoomChannelOptions) {
    this.#options = options;
    this.#socket = options.manager.socket('/room');
    this.#socket.auth = (give) => {
      const auth: RoomAuth = { token: this.#token, roomId: options.roomId };
      give(auth);
    };
    this.#socket.on('connect_error', (error) => this.#handleConnectError(error));
    this.#socket.on('disconnect', (reason) => this.#handleDisconnect(reason));
    this.on('room-state', () => {
      this.#wasJoined = true;
      this.#refusals = 0;
      this.#options.onLink({ kind: 'joined' });
    });
    this.on('server-draining', ({ reconnectInMs }) => {
      this.#drainDelayMs = reconnectInMs;
    });
  }

  open(): void {
    this.#options.onLink({ kind: 'connecting' });
    void this.#connect(false);
  }

  /** Gives up the seat and takes a new one: everything the server kept for the old one is freed. */
  rejoin(reason: string): void {
    if (this.#closed) return;
    this.#options.onLink({ kind: 'reconnecting', reason });
    this.#socket.disconnect();
    void this.#connect(false);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    this.#socket.removeAllListeners();
    // So that the others are told that we left, and not that we were lost.
    if (this.#socket.connected) this.#socket.emit('leave');
    this.#socket.disconnect();
    this.#options.onLink({ kind: 'closed' });
  }

  /**
   * The page goes away. A WebSocket is closed by the browser and the server knows at once; polling just stops, and so
   * the end of the connection is sent by the one kind of request that outlives a page.
   */
  goodbye(): void {
    const transport: unknown = this.#options.manager.engine.transport;
    if (isPolling(transport)) navigator.sendBeacon(transport.uri(), ENGINE_IO_CLOSE);
  }

  /** Events of a room arrive in the order in which the server sent them. */
  on<N extends keyof RoomEvents>(name: N, handler: (event: RoomEvents[N]) => void): void {
    // The library's listener type cannot follow a generic name; the generated table is the contract.
    const plain: string = name;
    this.#socket.on(plain, handler as (event: unknown) => void);
  }

  request<N extends RequestName>(name: N, payload: Payload<N>): Promise<Answer<N>> {
    // The library would keep the request for the next connection, where its ids mean nothing.
    if (!this.#socket.connected) return Promise.reject(disconnected());
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null, answer: unknown): void => {
        if (error !== null) {
          reject(this.#socket.connected ? timedOut(name) : disconnected());
          return;
        }
        const refusal = refusalOf(answer);
        if (refusal === undefined) resolve(answer as Answer<N>);
        else reject(refusal);
      };
      const timed = this.#socket.timeout(this.#options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS);
      if (payload === undefined) timed.emit(name, settle);
      else timed.emit(name, payload, settle);
    });
  }

  async #connect(freshToken: boolean): Promise<void> {
    try {
      this.#token = await this.#options.token(freshToken);
    } catch (error) {
      this.#handleRefusal(error instanceof ProtocolError ? error : connectErrorOf(new Error()));
      return;
    }
    if (!this.#closed) this.#socket.connect();
  }

  #handleConnectError(error: Error): void {
    // Active: the library itself is trying again, because the transport and not the server said no.
    if (this.#socket.active) {
      const kind = this.#wasJoined ? 'reconnecting' : 'connecting';
      const reason = connectErrorOf(error).message;
      this.#options.onLink(kind === 'connecting' ? { kind } : { kind, reason });
      return;
    }
    this.#handleRefusal(connectErrorOf(error));
  }

  #handleRefusal(error: ProtocolError): void {
    if (this.#closed) return;
    this.#refusals += 1;
    const retry = afterRefusal(error, { wasJoined: this.#wasJoined, refusals: this.#refusals });
    switch (retry.kind) {
      case 'give-up':
        this.#refuse(error);
        return;
      case 'new-token':
        void this.#connect(true);
        return;
      case 'wait':
        this.#options.onLink({ kind: 'reconnecting', reason: error.message });
        this.#connectIn(retry.delayMs);
        return;
    }
  }

  #handleDisconnect(reason: Socket.DisconnectReason): void {
    if (this.#closed || reason === 'io client disconnect') return;
    this.#options.onLink({ kind: 'reconnecting', reason: 'The connection to the server was lost.' });
    // The library reconnects by itself in every other case.
    if (reason === 'io server disconnect') {
      this.#connectIn(this.#drainDelayMs ?? RECONNECT_AFTER_SERVER_CLOSE_MS);
      this.#drainDelayMs = undefined;
    }
  }

  #connectIn(delayMs: number): void {
    clearTimeout(this.#retryTimer);
    // Spread out, because after a restart everybody comes back at once.
    this.#retryTimer = setTimeout(() => void this.#connect(false), delayMs * (1 + Math.random() / 2));
  }

  #refuse(error: ProtocolError): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    this.#socket.removeAllListeners();
    this.#socket.disconnect();
    this.#options.onLink({ kind: 'refused', error });
  }
}

/** The address of the connection is known to the library's polling alone, and not in its types. */
function isPolling(transport: unknown): transport is { uri: () => string } {
  const { name, uri } = transport as { name?: unknown; uri?: unknown };
  return name === 'polling' && typeof uri === 'function';
}

function disconnected(): ProtocolError {
  return new ProtocolError('DISCONNECTED', 'The connection to the server is down.');
}

function timedOut(name: string): ProtocolError {
  return new ProtocolError('TIMEOUT', `The server did not answer in time (${name}).`);
}
