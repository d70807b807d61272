/**
 * Brings what we send in line with what we want to send. Each source is worked on alone and one step at a time, so any
 * sequence of clicks ends in the last wish.
 */

import type { types } from 'mediasoup-client';

import { ProtocolError } from '../protocol/errors';
import type { Signalling } from '../protocol/events';
import type { PublishLayer, Source } from '../protocol/generated/messages';
import { backOff } from '../protocol/retry';
import { cameraLayers, screenLayers } from './layers';
import type { Transports } from './transports';

/** `undefined`: nothing to send. A camera or microphone is then paused, a screen is closed. */
export type Wish = MediaStreamTrack | undefined;

/** Attempts to publish one track before the person is told. */
const MAX_ATTEMPTS = 3;
/** How often it is looked whether there is a connection again. */
const RECONNECT_MS = 500;

export interface PublisherHandlers {
  onError(source: Source, message: string): void;
  /** The server has paused what we send: nobody hears or sees it. */
  onPaused(source: Source): void;
}

export class Publisher {
  readonly #transports: Transports;
  readonly #signalling: Signalling;
  readonly #handlers: PublisherHandlers;
  /** Producers that the server has paused before they were known here. */
  readonly #pausedByServer = new Set<string>();
  readonly #wishes = new Map<Source, Wish>();
  readonly #producers = new Map<Source, types.Producer>();
  readonly #working = new Set<Source>();
  /** What the server last wanted encoded, by producer. */
  readonly #layers = new Map<string, readonly PublishLayer[]>();
  /** Changes of what is encoded, one after the other: a sender's parameters must be read anew before each. */
  #encoding: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(transports: Transports, signalling: Signalling, handlers: PublisherHandlers) {
    this.#transports = transports;
    this.#signalling = signalling;
    this.#handlers = handlers;
  }

  set(source: Source, wish: Wish): void {
    this.#wishes.set(source, wish);
    if (!this.#working.has(source)) void this.#work(source);
  }

  /** Stops encoding the sizes that nobody watches, and starts those that somebody wants. */
  setLayers(producerId: string, layers: readonly PublishLayer[]): void {
    // Kept, because it may come before the answer that makes the producer known here.
    this.#layers.set(producerId, layers);
    this.#encodeInTurn(producerId);
  }

  #encodeInTurn(producerId: string): void {
    this.#encoding = this.#encoding.then(() => this.#encode(producerId));
  }

  async #encode(producerId: string): Promise<void> {
    const producer = [...this.#producers.values()].find(({ id }) => id === producerId);
    const layers = this.#layers.get(producerId);
    const sender = producer?.rtpSender;
    if (sender === undefined || layers === undefined || this.#closed) return;
    const parameters = sender.getParameters();
    // A single one is what the picture is.
    if (parameters.encodings.length < 2) return;
    let changed = false;
    for (const [index, encoding] of parameters.encodings.entries()) {
      const layer = layers.find(({ rid }) => rid !== null && rid === encoding.rid) ?? layers[index];
      if (layer === undefined || layer.active === encoding.active) continue;
      encoding.active = layer.active;
      changed = true;
    }
    if (!changed) return;
    try {
      await sender.setParameters(parameters);
    } catch (error) {
      // All sizes go on being sent then: dear, but nobody misses anything.
      console.warn(error);
    }
  }

  /** What of ours this is. */
  sourceOf(producerId: string): Source | undefined {
    return [...this.#producers].find(([, { id }]) => id === producerId)?.[0];
  }

  /** The server has paused it; that may be told before the answer by which it becomes known here. */
  notePaused(producerId: string): void {
    const source = this.sourceOf(producerId);
    if (source === undefined) this.#pausedByServer.add(producerId);
    else this.#handlers.onPaused(source);
  }

  /** The server has closed it, and has to be told nothing. */
  forget(producerId: string): Source | undefined {
    const source = this.sourceOf(producerId);
    if (source === undefined) return undefined;
    const producer = this.#producers.get(source);
    this.#producers.delete(source);
    this.#layers.delete(producerId);
    producer?.close();
    return source;
  }

  producers(): ReadonlyMap<Source, types.Producer> {
    return this.#producers;
  }

  close(): void {
    this.#closed = true;
    this.#producers.clear();
  }

  async #work(source: Source): Promise<void> {
    this.#working.add(source);
    let attempt = 0;
    while (!this.#closed && !this.#isDone(source)) {
      const wish = this.#wishes.get(source);
      try {
        await this.#step(source, wish);
        attempt = 0;
      } catch (error) {
        if (this.#isOver()) break;
        if (isDisconnected(error)) {
          // Soon there is a connection again, or another session in the place of this one.
          await sleep(RECONNECT_MS);
          continue;
        }
        attempt += 1;
        if (attempt >= MAX_ATTEMPTS || !isWorthRetrying(error)) {
          this.#wishes.set(source, this.#actual(source));
          this.#handlers.onError(source, sentenceOf(error));
          break;
        }
        await sleep(backOff(attempt));
      }
    }
    this.#working.delete(source);
  }

  /** Read again after every wait: `close` may have come in between. */
  #isOver(): boolean {
    return this.#closed;
  }

  #isDone(source: Source): boolean {
    return this.#actual(source) === this.#wishes.get(source);
  }

  #actual(source: Source): Wish {
    const producer = this.#producers.get(source);
    return producer === undefined || producer.paused ? undefined : (producer.track ?? undefined);
  }

  async #step(source: Source, wish: Wish): Promise<void> {
    const producer = this.#producers.get(source);
    if (producer === undefined) {
      if (wish !== undefined) await this.#produce(source, wish);
      return;
    }
    if (wish !== undefined) {
      await producer.replaceTrack({ track: wish });
      if (!producer.paused) return;
      await this.#signalling.request('resume-producer', { producerId: producer.id });
      producer.resume();
      this.#encodeInTurn(producer.id);
      return;
    }
    if (source === 'screen' || source === 'screen-audio') {
      // Told first: what fails is tried again as long as it is not done here.
      await this.#tell('close-producer', producer.id);
      this.#producers.delete(source);
      this.#layers.delete(producer.id);
      producer.close();
      return;
    }
    await this.#tell('pause-producer', producer.id);
    producer.pause();
    await producer.replaceTrack({ track: null });
  }

  /** A producer that the server does not know any more is as good as told. */
  async #tell(request: 'close-producer' | 'pause-producer', producerId: string): Promise<void> {
    try {
      await this.#signalling.request(request, { producerId });
    } catch (error) {
      if (!(error instanceof ProtocolError && error.code === 'NOT_FOUND')) throw error;
    }
  }

  async #produce(source: Source, track: MediaStreamTrack): Promise<void> {
    const device = await this.#transports.device();
    const transport = await this.#transports.send();
    if (!transport.listenerCount('produce')) this.#answerProduce(transport);
    const vp8 = device.sendRtpCapabilities.codecs?.find(
      ({ mimeType }) => mimeType.toLowerCase() === 'video/vp8',
    );
    const producer = await transport.produce({
      track,
      // Tracks belong to `LocalMedia`: it opens, mutes and stops them.
      stopTracks: false,
      disableTrackOnPause: false,
      appData: { source },
      ...(source === 'camera' ? { encodings: cameraLayers(track.getSettings()), codec: vp8 } : {}),
      ...(source === 'screen' ? { encodings: screenLayers(), codec: vp8 } : {}),
      ...(source === 'screen' ? { codecOptions: { videoGoogleStartBitrate: 1_000 } } : {}),
      ...(source === 'mic'
        ? { codecOptions: { opusDtx: true, opusFec: true, opusNack: true, opusMaxAverageBitrate: 40_000 } }
        : {}),
      ...(source === 'screen-audio'
        ? {
            codecOptions: {
              opusStereo: true,
              opusDtx: false,
              opusFec: true,
              opusNack: true,
              opusMaxAverageBitrate: 96_000,
            },
          }
        : {}),
    });
    this.#producers.set(source, producer);
    if (this.#pausedByServer.delete(producer.id)) this.#handlers.onPaused(source);
    this.#encodeInTurn(producer.id);
    producer.on('transportclose', () => this.#producers.delete(source));
  }

  #answerProduce(transport: types.Transport): void {
    transport.on('produce', ({ kind, rtpParameters, appData }, done, fail) => {
      const source = appData['source'] as Source;
      this.#signalling
        .request('produce', {
          transportId: transport.id,
          kind: kind,
          rtpParameters,
          source,
          paused: false,
        })
        .then(({ producerId }) => done({ id: producerId }), fail);
    });
  }
}

/** The server speaks to people; what the browser throws is for the console. */
function sentenceOf(error: unknown): string {
  if (error instanceof ProtocolError) return error.message;
  console.error(error);
  return 'The browser could not set it up. Turn it off and on again, or reload the page.';
}

function isWorthRetrying(error: unknown): boolean {
  return error instanceof ProtocolError && ['TIMEOUT', 'RATE_LIMITED', 'SERVER_BUSY'].includes(error.code);
}

function isDisconnected(error: unknown): boolean {
  return error instanceof ProtocolError && error.code === 'DISCONNECTED';
}

function sleep(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
