/**
 * One visit to one room, from joining to leaving: what the server tells goes into the state, what the person does goes
 * to the devices and to the server. Who comes back in time after a reconnect goes on where they were; otherwise there is a
 * new seat, media starts anew and the devices go on.
 */

import type { Explanation } from '../media/failure';
import { openLevelMeter, type LevelMeter } from '../media/level';
import type { Capture, LocalMedia, LocalView } from '../media/local';
import { Playback } from '../media/playback';
import { sentenceOf } from '../media/problems';
import type { MediaReport } from '../media/report';
import { MediaSession } from '../media/session';
import type { TransportLink } from '../media/transports';
import { Viewport } from '../media/viewport';
import { RoomChannel, type Link, type Manager } from '../protocol/channel';
import type { Identity } from '../protocol/identity';
import type {
  ErrorEvent,
  IceServer,
  Message,
  Moderated,
  NewProducer,
  Source,
} from '../protocol/generated/messages';
import { backOff } from '../protocol/retry';
import { createCell, createStore, type Cell, type Readable, type Store } from '../store';
import { sentenceOfError } from '../state/forms';
import { initialRoom, reduceRoom, type RoomAction, type RoomView } from '../state/room';
import { initialActivity, reduceActivity, type ActivityAction, type ActivityView } from '../state/activity';
import { Deeds } from './deeds';
import { seatOfThisTab } from './seat';

export interface RoomSessionOptions {
  manager: Manager;
  identity: Identity;
  roomId: string;
  displayName: string;
  local: LocalMedia;
  /** What to get done; told once, on the first seat. */
  goal?: string | undefined;
  /** Opens a private room. */
  password?: string | undefined;
  invite?: string | undefined;
}

export type Tracks = ReadonlyMap<string, MediaStreamTrack>;

/** How long a reaction is shown, in milliseconds. */
const REACTION_MS = 4_000;
/** So long it is told that a phase has begun. */
const BEGUN_MS = 8_000;
/** How often it is looked who speaks, in milliseconds. */
const SPEAKING_INTERVAL_MS = 250;
/** Own level from which the ring is drawn; see `levelOf`. */
const OWN_SPEAKING_LEVEL = 0.5;
/** After a fresh `room-state` on the same seat all producers are announced again by then. */
const ANNOUNCED_MS = 1_000;

const PUBLISHED: readonly Source[] = ['mic', 'camera', 'screen', 'screen-audio'];

export class RoomSession {
  readonly local: LocalMedia;
  readonly deeds: Deeds;
  /** What is on the screen; the pictures tell it. */
  readonly viewport: Viewport;
  readonly #channel: RoomChannel;
  readonly #store: Store<RoomView, RoomAction> = createStore(initialRoom, reduceRoom);
  readonly #activity: Store<ActivityView, ActivityAction> = createStore(initialActivity, reduceActivity);
  /** Remote pictures, by producer. */
  readonly #tracks: Cell<Tracks> = createCell<Tracks>(new Map());
  readonly #playback: Playback;
  readonly #ends: (() => void)[] = [];
  /** Not told yet. */
  #goal: string | undefined;
  #iceServers: IceServer[] = [];
  #media: MediaSession | undefined;
  #mediaFailures = 0;
  #rejoinTimer: ReturnType<typeof setTimeout> | undefined;
  #compareTimer: ReturnType<typeof setTimeout> | undefined;
  #shownScreenFailure: Capture | undefined;
  #meter: { track: MediaStreamTrack; meter: LevelMeter } | undefined;

  constructor(options: RoomSessionOptions) {
    this.local = options.local;
    this.#playback = new Playback((blocked) => this.#store.dispatch({ type: 'sound-blocked', blocked }));
    this.#channel = new RoomChannel({
      manager: options.manager,
      roomId: options.roomId,
      token: (fresh) => options.identity.token(options.displayName, fresh),
      onLink: (link) => this.#handleLink(link),
      memory: seatOfThisTab(),
      password: options.password,
      invite: options.invite,
    });
    this.deeds = new Deeds(this.#channel);
    this.#goal = options.goal;
    this.viewport = new Viewport((tiles) => this.#channel.request('set-viewport', { tiles }));
    this.#listen();
  }

  get view(): Readable<RoomView> {
    return this.#store;
  }

  /** The clock, the chat, and who waits. */
  get activity(): Readable<ActivityView> {
    return this.#activity;
  }

  /** For what is asked over HTTP. */
  get token(): string {
    return this.#channel.token;
  }

  /** Whether the chat is on the screen. */
  setChatSeen(seen: boolean): void {
    this.#activity.dispatch({ type: 'chat-seen', seen });
  }

  /** What was said before that. */
  addOlder(messages: readonly Message[]): void {
    this.#activity.dispatch({ type: 'older-messages', messages });
  }

  get tracks(): Readable<Tracks> {
    return this.#tracks;
  }

  join(): void {
    this.#ends.push(this.local.view.subscribe((local) => this.#publish(local)));
    const timer = setInterval(() => this.#lookWhoSpeaks(), SPEAKING_INTERVAL_MS);
    this.#ends.push(() => clearInterval(timer));
    this.#watchWindow();
    this.#channel.open();
  }

  /** The devices are closed too; nothing of the visit is left. */
  leave(): void {
    this.#end();
    this.#channel.close();
    this.local.close();
  }

  /** The page goes away: the others are not to wait until it is missed. */
  goodbye(): void {
    this.#channel.goodbye();
  }

  setAudioOnly(audioOnly: boolean): void {
    this.#store.dispatch({ type: 'audio-only', audioOnly });
    this.#store.dispatch({ type: 'suggestion-dismissed' });
    for (const producer of this.#store.get().producers.values()) {
      if (producer.source !== 'camera') continue;
      if (audioOnly) this.#media?.subscriber.decline(producer.producerId);
      else this.#want(producer);
    }
  }

  /** Shows somebody large, or not any more. */
  pin(participantId: string): void {
    this.#store.dispatch({ type: 'pin', participantId });
  }

  /** To be called from the handler of a click, which is what the browser waits for. */
  unblockSound(): void {
    this.#playback.unblock();
  }

  notify(notice: string): void {
    this.#store.dispatch({ type: 'notice', notice });
  }

  dismissNotice(): void {
    this.#store.dispatch({ type: 'notice', notice: undefined });
  }

  dismissSuggestion(): void {
    this.#store.dispatch({ type: 'suggestion-dismissed' });
  }

  /** The person does not want to wait for the next attempt. */
  retryMedia(): void {
    this.#mediaFailures = 0;
    this.#store.dispatch({ type: 'media', media: { kind: 'connecting' } });
    this.#rejoin();
  }

  async report(): Promise<MediaReport> {
    return (await this.#media?.report()) ?? { transports: [], inbound: [], outbound: [] };
  }

  #listen(): void {
    const { dispatch } = this.#store;
    const channel = this.#channel;
    channel.on('room-state', (event) => {
      dispatch({ type: 'room-state', event });
      this.#tellGoal();
      this.#iceServers = event.iceServers;
      if (channel.keepsMedia && this.#media !== undefined) {
        this.#media.reconnected();
        this.#compareTimer = setTimeout(() => this.#compare(), ANNOUNCED_MS);
      } else {
        this.#startMedia();
      }
      this.viewport.restart();
    });
    channel.on('resumed', () => this.#media?.reconnected());
    channel.on('user-joined', (event) => dispatch({ type: 'user-joined', event }));
    channel.on('user-updated', (event) => dispatch({ type: 'user-updated', event }));
    channel.on('recommend-audio-only', (event) => dispatch({ type: 'recommend-audio-only', event }));
    channel.on('user-left', (event) => {
      for (const producer of this.#store.get().producers.values()) {
        if (producer.participantId === event.participantId) this.#media?.subscriber.drop(producer.producerId);
      }
      dispatch({ type: 'user-left', event });
    });
    channel.on('new-producer', (event) => {
      dispatch({ type: 'new-producer', event });
      this.#want(event);
    });
    channel.on('producer-closed', (event) => {
      if (event.participantId === this.#store.get().selfId) this.#closedByServer(event.producerId);
      this.#media?.subscriber.drop(event.producerId);
      dispatch({ type: 'producer-closed', event });
    });
    channel.on('producer-paused', (event) => {
      if (event.participantId === this.#store.get().selfId) this.#media?.pausedByServer(event.producerId);
      dispatch({ type: 'producer-paused', event });
    });
    channel.on('producer-resumed', (event) => dispatch({ type: 'producer-resumed', event }));
    channel.on('consumer-closed', ({ consumerId }) => this.#media?.subscriber.dropConsumer(consumerId));
    channel.on('active-speaker', (event) => dispatch({ type: 'active-speaker', event }));
    channel.on('audio-levels', (event) => dispatch({ type: 'audio-levels', event }));
    channel.on('bandwidth', (event) => dispatch({ type: 'bandwidth', event }));
    channel.on('publish-layers', (event) => this.#media?.setLayers(event));
    channel.on('consumer-layers', ({ consumerId, spatialLayer, reason }) => {
      const producerId = this.#media?.subscriber.producerOf(consumerId);
      if (producerId === undefined) return;
      dispatch({ type: 'starved', producerId, starved: spatialLayer === null && reason === 'bandwidth' });
    });
    channel.on('error', (event) => this.#handleError(event));
    channel.on('room-updated', (event) => dispatch({ type: 'room-updated', event }));
    channel.on('moderated', (event) => dispatch({ type: 'notice', notice: moderatedSentence(event) }));
    this.#listenToActivity();
  }

  #listenToActivity(): void {
    const { dispatch } = this.#activity;
    const channel = this.#channel;
    channel.on('room-state', (event) => dispatch({ type: 'room-state', event, atMs: performance.now() }));
    channel.on('resumed', (event) => dispatch({ type: 'resumed', event, atMs: performance.now() }));
    let told: ReturnType<typeof setTimeout> | undefined;
    this.#ends.push(() => clearTimeout(told));
    channel.on('timer', (event) => {
      const before = this.#activity.get().begun;
      dispatch({ type: 'timer', event, atMs: performance.now() });
      const { begun } = this.#activity.get();
      if (begun === undefined || begun === before) return;
      clearTimeout(told);
      told = setTimeout(() => dispatch({ type: 'begun-over' }), BEGUN_MS);
    });
    channel.on('new-message', (event) => {
      dispatch({ type: 'new-message', event, selfId: this.#store.get().selfId });
    });
    channel.on('chat-cleared', (event) => dispatch({ type: 'chat-cleared', event }));
    channel.on('waiting', (event) => dispatch({ type: 'waiting', event }));
    channel.on('reaction', (event) => {
      const key = this.#activity.get().reacted;
      dispatch({ type: 'reaction', event });
      setTimeout(() => dispatch({ type: 'reaction-over', key }), REACTION_MS);
    });
  }

  #tellGoal(): void {
    const goal = this.#goal;
    this.#goal = undefined;
    if (goal === undefined) return;
    this.deeds.setGoal(goal).catch((error: unknown) => this.notify(sentenceOfError(error)));
  }

  /** What is not sent any more is off here too: the person turns it on again where that is allowed. */
  #pausedByServer(source: Source): void {
    if (source === 'mic') void this.local.setMicrophone(false);
    else if (source === 'camera') void this.local.setCamera(false);
    else this.local.stopScreen();
  }

  #closedByServer(producerId: string): void {
    const source = this.#media?.closedByServer(producerId);
    if (source !== undefined) this.#pausedByServer(source);
  }

  #handleError({ code, message }: ErrorEvent): void {
    switch (code) {
      case 'MEDIA_LOST':
        // All that were connected are gone on the server, so there is room for new ones.
        this.#startMedia();
        for (const producer of this.#store.get().producers.values()) this.#want(producer);
        this.viewport.restart();
        return;
      case 'MEDIA_RESTARTED':
        this.#store.dispatch({ type: 'media-restarted' });
        this.#startMedia();
        this.viewport.restart();
        return;
      case 'REPLACED':
      case 'TOO_SLOW':
        // The server closes the connection next; the channel knows what to do then.
        return;
      default:
        this.#store.dispatch({ type: 'notice', notice: message });
    }
  }

  #handleLink(link: Link): void {
    this.#store.dispatch({ type: 'link', link });
    if (link.kind === 'refused') this.#end();
  }

  /** Too much was missed to be told one by one: drops what is gone. */
  #compare(): void {
    const { producers } = this.#store.get();
    const media = this.#media;
    if (media === undefined || this.#store.get().link.kind !== 'joined') return;
    for (const { producer } of media.subscriber.consumers()) {
      if (!producers.has(producer.producerId)) media.subscriber.drop(producer.producerId);
    }
    if (!media.isKnown(new Set(producers.keys()))) this.#rejoin();
  }

  #startMedia(): void {
    this.#stopMedia();
    const { dispatch } = this.#store;
    this.#media = new MediaSession(this.#channel, this.#iceServers, {
      onLink: (link) => this.#handleMediaLink(link),
      onFailed: (explanation) => this.#handleMediaFailed(explanation),
      onTrack: (producer, track) => this.#addTrack(producer, track),
      onTrackGone: (producer) => this.#removeTrack(producer),
      onPublishError: (source, message) => {
        const what = { mic: 'microphone', camera: 'camera', screen: 'screen', 'screen-audio': 'sound' }[
          source
        ];
        dispatch({ type: 'notice', notice: `Your ${what} could not be shared. ${message}` });
        // What looks as if it were on and is not misleads.
        this.#pausedByServer(source);
      },
      onPaused: (source) => this.#pausedByServer(source),
      onReceiveError: (message) => {
        dispatch({ type: 'notice', notice: `Somebody’s picture or sound could not be received. ${message}` });
      },
    });
    this.#publish(this.local.view.get());
  }

  #stopMedia(): void {
    clearTimeout(this.#rejoinTimer);
    clearTimeout(this.#compareTimer);
    this.#media?.close();
    this.#media = undefined;
    this.#playback.clear();
    this.#tracks.set(new Map());
  }

  #publish(local: LocalView): void {
    this.#playback.setSpeaker(local.speakerId);
    this.#meterOn(local.microphone.status === 'on' ? local.microphone.track : undefined);
    const wishes: Record<Source, MediaStreamTrack | undefined> = {
      mic: local.microphone.status === 'on' ? local.microphone.track : undefined,
      camera: local.camera.status === 'on' ? local.camera.track : undefined,
      screen: local.screen.track,
      'screen-audio': local.screenAudio,
    };
    for (const source of PUBLISHED) this.#media?.publish(source, wishes[source]);
    const { screen } = local;
    if (screen.problem !== undefined && screen !== this.#shownScreenFailure) {
      this.#shownScreenFailure = screen;
      this.#store.dispatch({ type: 'notice', notice: sentenceOf('screen', screen.problem) });
    }
  }

  #want(producer: NewProducer): void {
    const { audioOnly, selfId } = this.#store.get();
    if (producer.participantId === selfId || (audioOnly && producer.source === 'camera')) return;
    this.#media?.subscriber.want(producer);
  }

  #addTrack(producer: NewProducer, track: MediaStreamTrack): void {
    if (producer.kind === 'audio') this.#playback.add(producer.producerId, track);
    else this.#tracks.set(new Map(this.#tracks.get()).set(producer.producerId, track));
  }

  #removeTrack(producer: NewProducer): void {
    if (producer.kind === 'audio') {
      this.#playback.remove(producer.producerId);
      return;
    }
    const tracks = new Map(this.#tracks.get());
    tracks.delete(producer.producerId);
    this.#tracks.set(tracks);
  }

  #handleMediaLink(link: TransportLink): void {
    // A failure comes with its explanation, just after; and one that was explained stays until something works again.
    if (link === 'failed') return;
    if (link === 'connected') {
      this.#mediaFailures = 0;
      // Packets come through again, so the connection to the server will too.
      this.#channel.hurry();
    } else if (this.#store.get().media.kind === 'failed') return;
    this.#store.dispatch({ type: 'media', media: { kind: link } });
  }

  #handleMediaFailed(explanation: Explanation): void {
    this.#mediaFailures += 1;
    this.#store.dispatch({ type: 'media', media: { kind: 'failed', explanation } });
    clearTimeout(this.#rejoinTimer);
    this.#rejoinTimer = setTimeout(() => this.#rejoin(), backOff(this.#mediaFailures));
  }

  #rejoin(): void {
    clearTimeout(this.#rejoinTimer);
    this.#channel.rejoin('Video and sound are being set up again.');
  }

  #watchWindow(): void {
    const ends = new AbortController();
    this.#ends.push(() => ends.abort());
    const look = (): void => this.viewport.setWindowHidden(document.visibilityState === 'hidden');
    look();
    document.addEventListener('visibilitychange', look, ends);
    window.addEventListener('online', () => this.#channel.hurry(), ends);
    // Asks whether the ratio is what it is now, so it changes once; then the next one is asked for.
    const followRatio = (): void => {
      this.viewport.measure();
      const here = window.matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
      here.addEventListener('change', followRatio, { once: true, signal: ends.signal });
    };
    followRatio();
  }

  #lookWhoSpeaks(): void {
    const speaking = this.#media?.subscriber.speaking() ?? [];
    const { selfId } = this.#store.get();
    const ownLevel = this.#meter?.meter.read() ?? 0;
    if (selfId !== undefined && ownLevel > OWN_SPEAKING_LEVEL) speaking.push(selfId);
    this.#store.dispatch({ type: 'speaking', participantIds: speaking });
  }

  #meterOn(track: MediaStreamTrack | undefined): void {
    if (this.#meter?.track === track) return;
    this.#meter?.meter.close();
    this.#meter = track === undefined ? undefined : { track, meter: openLevelMeter(track) };
  }

  #end(): void {
    for (const end of this.#ends.splice(0)) end();
    this.#meterOn(undefined);
    this.viewport.close();
    this.#stopMedia();
  }
}

const DONE_TO_YOU: Partial<Record<Moderated['action'], string>> = {
  mute: 'Your microphone was muted',
  'stop-video': 'Your camera was turned off',
  'stop-screen': 'Your screen is not shared any more',
  promote: 'You are a moderator now',
  demote: 'You are a moderator no more',
  'transfer-host': 'You are the host now',
};

function moderatedSentence({ action, by, reason }: Moderated): string {
  const what = DONE_TO_YOU[action] ?? 'Something was changed';
  return `${what} (by ${by}).${reason === undefined ? '' : ` ${reason}`}`;
}
