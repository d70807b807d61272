/**
 * Receives what others send. Wishes are collected and asked for together, so that somebody who comes into a full room
 * needs two round trips and not two hundred.
 */

import type { types } from 'mediasoup-client';

import { ProtocolError } from '../protocol/errors';
import type { Signalling } from '../protocol/events';
import type { ConsumeOutcome, NewProducer } from '../protocol/generated/messages';
import { backOff } from '../protocol/retry';
import type { Transports } from './transports';

export interface SubscriberHandlers {
  onTrack(producer: NewProducer, track: MediaStreamTrack): void;
  onTrackGone(producer: NewProducer): void;
  onError(message: string): void;
}

/** Asked for in one request; the answer stays well below what a polling transport sends in one piece. */
export const MAX_BATCH = 32;
const MAX_ATTEMPTS = 5;
/** How often it is looked whether there is a connection again. */
const RECONNECT_MS = 500;
/** Announcements that arrive together are asked for together. */
const GATHER_MS = 15;
/** Above this a person is speaking and the room is not just humming; linear, 0 to 1. */
const SPEAKING_LEVEL = 0.015;

interface Wanted {
  producer: NewProducer;
  consumer: types.Consumer | undefined;
  attempts: number;
}

export class Subscriber {
  readonly #transports: Transports;
  readonly #signalling: Signalling;
  readonly #handlers: SubscriberHandlers;
  readonly #wanted = new Map<string, Wanted>();
  #queue: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #flushing = false;
  #closed = false;

  constructor(transports: Transports, signalling: Signalling, handlers: SubscriberHandlers) {
    this.#transports = transports;
    this.#signalling = signalling;
    this.#handlers = handlers;
  }

  want(producer: NewProducer): void {
    if (this.#wanted.has(producer.producerId)) return;
    this.#wanted.set(producer.producerId, { producer, consumer: undefined, attempts: 0 });
    this.#enqueue([producer.producerId], GATHER_MS);
  }

  /** The producer is gone: the server has closed the consumer already. */
  drop(producerId: string): void {
    const wanted = this.#wanted.get(producerId);
    if (wanted === undefined) return;
    this.#wanted.delete(producerId);
    if (wanted.consumer === undefined) return;
    wanted.consumer.close();
    this.#handlers.onTrackGone(wanted.producer);
  }

  /** The producer goes on, but we do not want to receive it any more. */
  decline(producerId: string): void {
    const consumerId = this.#wanted.get(producerId)?.consumer?.id;
    this.drop(producerId);
    if (consumerId !== undefined) this.#closeRemote(consumerId);
  }

  dropConsumer(consumerId: string): void {
    for (const [producerId, wanted] of this.#wanted) {
      if (wanted.consumer?.id === consumerId) this.drop(producerId);
    }
  }

  /** Whose picture or sound a consumer brings. */
  producerOf(consumerId: string): string | undefined {
    for (const [producerId, { consumer }] of this.#wanted) {
      if (consumer?.id === consumerId) return producerId;
    }
    return undefined;
  }

  /** Who can be heard right now, from the level in the packets that were played last. */
  speaking(): string[] {
    const people = new Set<string>();
    for (const { producer, consumer } of this.#wanted.values()) {
      if (producer.source !== 'mic' || consumer?.rtpReceiver === undefined) continue;
      const [latest] = consumer.rtpReceiver.getSynchronizationSources();
      if (latest === undefined || isStale(latest.timestamp)) continue;
      if ((latest.audioLevel ?? 0) > SPEAKING_LEVEL) people.add(producer.participantId);
    }
    return [...people];
  }

  consumers(): { producer: NewProducer; consumer: types.Consumer }[] {
    return [...this.#wanted.values()].flatMap(({ producer, consumer }) =>
      consumer === undefined ? [] : [{ producer, consumer }],
    );
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const producerId of [...this.#wanted.keys()]) this.drop(producerId);
  }

  #enqueue(producerIds: readonly string[], delayMs: number): void {
    this.#queue.push(...producerIds);
    this.#timer ??= setTimeout(() => void this.#flush(), delayMs);
  }

  async #flush(): Promise<void> {
    this.#timer = undefined;
    if (this.#flushing) return;
    this.#flushing = true;
    while (this.#queue.length > 0 && !this.#closed) {
      const batch = this.#queue.splice(0, MAX_BATCH).filter((id) => this.#isOpen(id));
      if (batch.length === 0) continue;
      try {
        await this.#consume(batch);
      } catch (error) {
        this.#handleFailure(batch, error);
      }
    }
    this.#flushing = false;
  }

  #isOpen(producerId: string): boolean {
    const wanted = this.#wanted.get(producerId);
    return wanted !== undefined && wanted.consumer === undefined;
  }

  async #consume(producerIds: string[]): Promise<void> {
    const device = await this.#transports.device();
    const transport = await this.#transports.recv();
    const answer = await this.#signalling.request('consume', {
      transportId: transport.id,
      producerIds,
      rtpCapabilities: device.recvRtpCapabilities,
    });
    const outcomes = 'consumers' in answer ? answer.consumers : [answer.consumer];
    // In one turn, so that the library makes one offer and answer for all of them.
    const created = await Promise.all(outcomes.map((outcome) => this.#create(transport, outcome)));
    const consumerIds = created.filter((id) => id !== undefined);
    if (consumerIds.length > 0) await this.#resume(consumerIds);
  }

  async #resume(consumerIds: string[]): Promise<void> {
    try {
      await this.#signalling.request('resume-consumer', { consumerIds });
    } catch (error) {
      // All or none: one that ended in the meantime must not keep the others dark.
      if (!isNotFound(error)) throw error;
      for (const consumerId of consumerIds) {
        await this.#signalling.request('resume-consumer', { consumerId }).catch((each: unknown) => {
          if (!isNotFound(each)) throw each;
        });
      }
    }
  }

  async #create(transport: types.Transport, answer: ConsumeOutcome): Promise<string | undefined> {
    if ('error' in answer) {
      this.#retry([answer.producerId], new ProtocolError(answer.code, answer.error));
      return undefined;
    }
    let consumer: types.Consumer;
    try {
      consumer = await transport.consume({
        id: answer.id,
        producerId: answer.producerId,
        kind: answer.kind,
        rtpParameters: answer.rtpParameters as types.RtpParameters,
        // Camera and microphone of a person are played in step; a shared screen goes with its own sound.
        streamId: `${answer.participantId}-${answer.source.startsWith('screen') ? 'screen' : 'person'}`,
      });
    } catch (error) {
      this.#closeRemote(answer.id);
      this.#retry([answer.producerId], causeOf(error));
      return undefined;
    }
    const wanted = this.#wanted.get(answer.producerId);
    if (this.#closed || wanted === undefined || wanted.consumer !== undefined) {
      consumer.close();
      this.#closeRemote(answer.id);
      return undefined;
    }
    wanted.consumer = consumer;
    this.#handlers.onTrack(wanted.producer, consumer.track);
    return answer.id;
  }

  #handleFailure(batch: readonly string[], error: unknown): void {
    if (this.#closed) return;
    const cause = causeOf(error);
    // Consumers that exist but were not resumed would stay dark.
    for (const producerId of batch) {
      const wanted = this.#wanted.get(producerId);
      if (wanted?.consumer === undefined) continue;
      this.#closeRemote(wanted.consumer.id);
      wanted.consumer.close();
      wanted.consumer = undefined;
      this.#handlers.onTrackGone(wanted.producer);
    }
    this.#retry(batch, cause);
  }

  #retry(producerIds: readonly string[], cause: ProtocolError): void {
    const again: string[] = [];
    let delayMs = cause.retryAfterMs ?? 0;
    for (const producerId of producerIds) {
      const wanted = this.#wanted.get(producerId);
      // Gone in the meantime; its end is announced separately.
      if (wanted === undefined || cause.code === 'NOT_FOUND') continue;
      if (cause.code === 'DISCONNECTED') {
        // Soon there is a connection again, or another session in the place of this one.
        delayMs = Math.max(delayMs, RECONNECT_MS);
        again.push(producerId);
        continue;
      }
      wanted.attempts += 1;
      if (wanted.attempts >= MAX_ATTEMPTS) {
        this.#wanted.delete(producerId);
        this.#handlers.onError(cause.message);
        continue;
      }
      delayMs = Math.max(delayMs, backOff(wanted.attempts));
      again.push(producerId);
    }
    if (again.length > 0) setTimeout(() => this.#closed || this.#enqueue(again, 0), delayMs);
  }

  #closeRemote(consumerId: string): void {
    // When it fails the consumer is gone anyway, with its transport.
    this.#signalling.request('close-consumer', { consumerId }).catch(() => undefined);
  }
}

/** The server speaks to people; what the browser throws is for the console. */
function causeOf(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error;
  console.error(error);
  return new ProtocolError('BROWSER', 'The browser could not set it up. Reloading the page may help.');
}

function isNotFound(error: unknown): boolean {
  return error instanceof ProtocolError && error.code === 'NOT_FOUND';
}

/** Browsers count either from the page's start or from the epoch. */
function isStale(timestamp: number): boolean {
  const now = performance.now();
  return Math.min(Math.abs(now - timestamp), Math.abs(performance.timeOrigin + now - timestamp)) > 1_000;
}
