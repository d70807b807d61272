/** Everything that hangs on one seat: both connections, what goes out on one and what comes in on the other. */

import type { Signalling } from '../protocol/events';
import type { IceServer, NewProducer, PublishLayers, Source } from '../protocol/generated/messages';
import type { Explanation } from './failure';
import { Publisher, type Wish } from './publisher';
import { reportOf, type MediaReport } from './report';
import { Subscriber } from './subscriber';
import { Transports, type TransportLink } from './transports';

export interface MediaHandlers {
  onLink(link: TransportLink): void;
  onFailed(explanation: Explanation): void;
  onTrack(producer: NewProducer, track: MediaStreamTrack): void;
  onTrackGone(producer: NewProducer): void;
  onPublishError(source: Source, message: string): void;
  /** The server has paused what we send. */
  onPaused(source: Source): void;
  onReceiveError(message: string): void;
}

export class MediaSession {
  readonly #transports: Transports;
  readonly #publisher: Publisher;
  readonly subscriber: Subscriber;

  constructor(signalling: Signalling, iceServers: IceServer[], handlers: MediaHandlers) {
    this.#transports = new Transports(signalling, iceServers, handlers);
    this.#publisher = new Publisher(this.#transports, signalling, {
      onError: (source, message) => handlers.onPublishError(source, message),
      onPaused: (source) => handlers.onPaused(source),
    });
    this.subscriber = new Subscriber(this.#transports, signalling, {
      onTrack: (producer, track) => handlers.onTrack(producer, track),
      onTrackGone: (producer) => handlers.onTrackGone(producer),
      onError: (message) => handlers.onReceiveError(message),
    });
  }

  publish(source: Source, wish: Wish): void {
    this.#publisher.set(source, wish);
  }

  setLayers({ producerId, layers }: PublishLayers): void {
    this.#publisher.setLayers(producerId, layers);
  }

  /** The server has paused something of ours. */
  pausedByServer(producerId: string): void {
    this.#publisher.notePaused(producerId);
  }

  /** The server has closed something of ours; what it was. */
  closedByServer(producerId: string): Source | undefined {
    return this.#publisher.forget(producerId);
  }

  /** We are back on the same seat after the connection to the server was lost. */
  reconnected(): void {
    this.#transports.reconnected();
  }

  /** Whether the server has all that we send. */
  isKnown(producerIds: ReadonlySet<string>): boolean {
    return [...this.#publisher.producers().values()].every(({ id }) => producerIds.has(id));
  }

  report(): Promise<MediaReport> {
    return reportOf({
      transports: this.#transports.opened(),
      consumers: this.subscriber.consumers(),
      producers: this.#publisher.producers(),
    });
  }

  close(): void {
    this.#publisher.close();
    this.subscriber.close();
    this.#transports.close();
  }
}
