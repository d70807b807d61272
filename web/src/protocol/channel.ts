/**
 * The seat in a room as seen from the network: opening the namespace is joining, closing it is leaving. Requests are
 * answered or rejected within a time limit; a lost connection is taken up again until the server says no for good.
 * Who comes back in time is on the same seat: the server says `resumed` and tells what was missed, or sends a fresh
 * `room-state`. Otherwise it is a new seat, and whatever hung on the old one is gone.
 */

import { Manager, type Socket } from 'socket.io-client';

import { connectErrorOf, ProtocolError, refusalOf } from './errors';
import type { Answer, Payload, RequestName, Signalling } from './events';
import type { RoomAuth, RoomEvents } from './generated/messages';
import { afterRefusal } from './retry';
import { NO_MEMORY, Seat, type SeatMemory } from './seat';

export type { Manager };

export type Link =
  | { kind: 'connecting' }
  | { kind: 'joined' }
  | { kind: 'reconnecting'; reason: string }
  /** Before the door, until somebody in the room lets us in. */
  | { kind: 'waiting'; message: string }
  | { kind: 'refused'; error: ProtocolError }
  | { kind: 'closed' };

export interface RoomChannelOptions {
  manager: Manager;
  roomId: string;
  /** `fresh` asks for a token that was never used: the last one was refused. */
  token: (fresh: boolean) => Promise<string>;
  onLink: (link: Link) => void;
  /** Opens a private room. */
  password?: string | undefined;
  invite?: string | undefined;
  /** An answer that has not come by then will not come. */
  requestTimeoutMs?: number;
  /** Where the way back to the seat is kept for when the page is loaded again. */
  memory?: SeatMemory;
}

/** The packet type "close" (Engine.IO protocol, version 4). */
const ENGINE_IO_CLOSE = '1';
const REQUEST_TIMEOUT_MS = 10_000;
/** After the server itself closed the connection (a restart, mostly). */
const RECONNECT_AFTER_SERVER_CLOSE_MS = 1_000;
/** An attempt to come back that hears nothing is given up soon, because the next one may find the network again … */
const SHORT_ATTEMPT_MS = 4_000;
/** … but every third one has the time that a bad network needs. */
const LONG_ATTEMPT_MS = 10_000;
/** Signs that the network is back come in numbers. */
const HURRY_GAP_MS = 1_000;
/** Without an answer to these nobody knows what the server made; then all of it is made anew. */
const IN_DOUBT: readonly RequestName[] = ['create-transport', 'connect-transport', 'produce'];

/** One connection for all namespaces of this page. Polling comes first because it passes where WebSocket is blocked. */
export function openManager(url?: string): Manager {
  const manager = new Manager(url ?? '', {
    autoConnect: false,
    reconnectionDelay: 500,
    reconnectionDelayMax: 2_000,
    timeout: LONG_ATTEMPT_MS,
  });
  manager.on('reconnect_attempt', (attempt) => {
    manager.timeout(attempt % 3 === 0 ? LONG_ATTEMPT_MS : SHORT_ATTEMPT_MS);
  });
  return manager;
}

export class RoomChannel implements Signalling {
  readonly #options: RoomChannelOptions;
  readonly #socket: Socket;
  readonly #seat = new Seat();
  readonly #memory: SeatMemory;
  #token = '';
  /** Of the person who sat here before the page was loaded again. */
  #restoredToken: string | undefined;
  #keepsMedia = false;
  #hurriedAt = -Infinity;
  #wasJoined = false;
  #refusals = 0;
  #closed = false;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #drainDelayMs: number | undefined;

  constructor(options: RoomChannelOptions) {
    this.#options = options;
    this.#socket = options.manager.socket('/room');
    this.#socket.auth = (give) => {
      const { roomId, password, invite } = options;
      const auth: RoomAuth = {
        token: this.#token,
        roomId,
        ...(password === undefined ? {} : { password }),
        ...(invite === undefined ? {} : { invite }),
      };
      const resume = this.#seat.resume();
      give(resume === undefined ? auth : { ...auth, resume });
    };
    this.#memory = options.memory ?? NO_MEMORY;
    const kept = this.#memory.load();
    if (kept?.roomId === options.roomId) {
      this.#restoredToken = kept.token;
      this.#seat.restore(kept.resumeToken);
    }
    this.#socket.on('connect_error', (error) => this.#handleConnectError(error));
    this.#socket.on('disconnect', (reason) => this.#handleDisconnect(reason));
    this.#socket.onAny((_: string, event: unknown) => this.#seat.note(event));
    this.on('room-state', ({ self }) => {
      this.#keepsMedia = this.#seat.enter(self.participantId, self.resumeToken);
      this.#handleJoined();
    });
    this.on('resumed', ({ resumeToken }) => {
      this.#seat.renew(resumeToken);
      this.#handleJoined();
    });
    this.on('error', ({ code, message }) => {
      // Another window has the seat now; coming back would take it from there.
      if (code === 'REPLACED') this.#refuse(new ProtocolError(code, message));
    });
    // Whoever sent us away closes the connection next; coming back at once is not what was meant.
    this.on('kicked', ({ reason }) => this.#refuse(new ProtocolError('KICKED', sentAway(reason))));
    this.on('server-draining', ({ reconnectInMs }) => {
      this.#drainDelayMs = reconnectInMs;
    });
  }

  open(): void {
    this.#options.onLink({ kind: 'connecting' });
    void this.#connect(false);
  }

  /** Whether the last `room-state` is of the same seat, with all transports, producers and consumers. */
  get keepsMedia(): boolean {
    return this.#keepsMedia;
  }

  /** Comes back to the seat without anything that was made on it: the server closes what it kept. */
  rejoin(reason: string): void {
    if (this.#closed) return;
    this.#seat.startAnew();
    this.#options.onLink({ kind: 'reconnecting', reason });
    // Closing the namespace would be leaving; the library opens another connection by itself.
    if (this.#socket.connected) this.#options.manager.engine.close();
  }

  /** The network seems to be back: tries now what would be tried later. */
  hurry(): void {
    if (this.#closed || !this.#wasJoined || this.#socket.connected) return;
    const now = performance.now();
    if (now - this.#hurriedAt < HURRY_GAP_MS) return;
    this.#hurriedAt = now;
    clearTimeout(this.#retryTimer);
    // Ends the attempt that began without a network, and the wait before the next one.
    this.#socket.disconnect();
    void this.#connect(false);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#memory.forget();
    clearTimeout(this.#retryTimer);
    this.#removeListeners();
    // So that the others are told that we left, and not that we were lost.
    if (this.#socket.connected) this.#socket.emit('leave');
    this.#socket.disconnect();
    this.#options.onLink({ kind: 'closed' });
  }

  /**
   * The page goes away, for good or to be loaded again: the server keeps the seat for a moment. A WebSocket is closed by
   * the browser and the server knows at once; polling just stops, and so the end of the connection is sent by the one kind
   * of request that outlives a page.
   */
  goodbye(): void {
    const transport: unknown = this.#options.manager.engine.transport;
    if (isPolling(transport)) navigator.sendBeacon(transport.uri(), ENGINE_IO_CLOSE);
  }

  /** For what is asked over HTTP in the same name. */
  get token(): string {
    return this.#token;
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
          if (IN_DOUBT.includes(name)) this.#seat.startAnew();
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

  #handleJoined(): void {
    this.#wasJoined = true;
    this.#refusals = 0;
    const resume = this.#seat.resume();
    if (resume === undefined) this.#memory.forget();
    else {
      const { resumeToken } = resume;
      this.#memory.save({ roomId: this.#options.roomId, token: this.#token, resumeToken });
    }
    this.#options.onLink({ kind: 'joined' });
  }

  async #connect(freshToken: boolean): Promise<void> {
    if (freshToken) this.#restoredToken = undefined;
    try {
      this.#token = this.#restoredToken ?? (await this.#options.token(freshToken));
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
      case 'knock-again':
        this.#refusals = 0;
        this.#options.onLink({ kind: 'waiting', message: error.message });
        this.#connectIn(retry.delayMs);
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
    this.#memory.forget();
    clearTimeout(this.#retryTimer);
    this.#removeListeners();
    this.#socket.disconnect();
    this.#options.onLink({ kind: 'refused', error });
  }

  #removeListeners(): void {
    this.#socket.removeAllListeners();
    this.#socket.offAny();
  }
}

function sentAway(reason: string): string {
  const sentence = 'You were asked to leave this room.';
  return reason === '' ? sentence : `${sentence} Reason: ${reason}`;
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
