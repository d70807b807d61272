/**
 * What a person in a room sees, as a function of what happened: the people, what each of them sends, and how the
 * connections are. Tracks are not in here; tiles name the producer whose track they show.
 */

import type { ProtocolError } from '../protocol/errors';
import type { Link } from '../protocol/channel';
import type { RoomEvents } from '../protocol/generated/messages';
import type {
  BandwidthState,
  NewProducer,
  Participant,
  RoomInfo,
  RoomState,
} from '../protocol/generated/messages';

export interface Explanation {
  /** One line: what does not work. */
  title: string;
  /** Why, as far as it can be known. */
  reason: string;
  /** What to do about it. */
  advice: string;
}

export type MediaLink =
  /** Nothing is sent or received yet, so nothing had to connect. */
  | { kind: 'idle' }
  | { kind: 'connecting' }
  | { kind: 'connected' }
  /** Packets have stopped; the browser is still looking for another way. */
  | { kind: 'unstable' }
  | { kind: 'failed'; explanation: Explanation };

export interface RoomView {
  link: Link;
  media: MediaLink;
  room: RoomInfo | undefined;
  selfId: string | undefined;
  /** In the order of arrival. */
  participants: readonly Participant[];
  producers: ReadonlyMap<string, NewProducer>;
  /** Pictures that are not sent because the connection is too slow. */
  starved: ReadonlySet<string>;
  /** How much of what is shown the connection carries. */
  bandwidth: BandwidthState;
  /** Who leads the conversation. */
  leaderId: string | undefined;
  /** Whose picture was chosen to be seen large. */
  pinnedId: string | undefined;
  /** Who is speaking now. */
  speaking: ReadonlySet<string>;
  /** How loud each is whom the server hears; 0 to 1. */
  loudness: ReadonlyMap<string, number>;
  /** The server's suggestion to go without video; `undefined` once dismissed. */
  suggestion: string | undefined;
  /** Other people's cameras are not received. */
  audioOnly: boolean;
  /** The browser does not play sound before the page is clicked. */
  soundBlocked: boolean;
  /** Something went wrong that the person should know of, until dismissed. */
  notice: string | undefined;
  /** Read out by screen readers. */
  announcement: string;
}

type Event<N extends keyof RoomEvents> = { type: N; event: RoomEvents[N] };

export type RoomAction =
  | Event<'room-state'>
  | Event<'user-joined'>
  | Event<'user-left'>
  | Event<'user-updated'>
  | Event<'new-producer'>
  | Event<'producer-closed'>
  | Event<'producer-paused'>
  | Event<'producer-resumed'>
  | Event<'recommend-audio-only'>
  | Event<'bandwidth'>
  | Event<'active-speaker'>
  | Event<'audio-levels'>
  | Event<'room-updated'>
  | { type: 'starved'; producerId: string; starved: boolean }
  | { type: 'pin'; participantId: string | undefined }
  | { type: 'media-restarted' }
  | { type: 'link'; link: Link }
  | { type: 'media'; media: MediaLink }
  | { type: 'speaking'; participantIds: readonly string[] }
  | { type: 'audio-only'; audioOnly: boolean }
  | { type: 'sound-blocked'; blocked: boolean }
  | { type: 'notice'; notice: string | undefined }
  | { type: 'suggestion-dismissed' };

/** What is known of media before any came. */
const NO_MEDIA = {
  speaking: new Set<string>(),
  loudness: new Map<string, number>(),
  starved: new Set<string>(),
  bandwidth: 'ok',
  leaderId: undefined,
} as const satisfies Partial<RoomView>;

export const initialRoom: RoomView = {
  link: { kind: 'connecting' },
  media: { kind: 'idle' },
  room: undefined,
  selfId: undefined,
  participants: [],
  producers: new Map(),
  ...NO_MEDIA,
  pinnedId: undefined,
  suggestion: undefined,
  audioOnly: false,
  soundBlocked: false,
  notice: undefined,
  announcement: '',
};

export function reduceRoom(state: RoomView, action: RoomAction): RoomView {
  switch (action.type) {
    case 'room-state':
      return enter(state, action.event);
    case 'user-joined':
      return join(state, action.event);
    case 'user-left':
      return leave(state, action.event);
    case 'user-updated':
      return {
        ...state,
        participants: state.participants.map((person) =>
          person.id === action.event.participantId ? updated(person, action.event) : person,
        ),
      };
    case 'new-producer':
      return { ...state, producers: new Map(state.producers).set(action.event.producerId, action.event) };
    case 'producer-closed': {
      const producers = new Map(state.producers);
      producers.delete(action.event.producerId);
      return { ...state, producers, starved: without(state.starved, action.event.producerId) };
    }
    case 'producer-paused':
      return setPaused(state, action.event.producerId, true);
    case 'producer-resumed':
      return setPaused(state, action.event.producerId, false);
    case 'media-restarted':
      // The people stay; what they send is announced anew.
      return { ...state, producers: new Map(), ...NO_MEDIA };
    case 'bandwidth':
      return { ...state, bandwidth: action.event.state };
    case 'room-updated':
      return { ...state, room: action.event.room };
    case 'active-speaker':
      return { ...state, leaderId: action.event.participantId ?? undefined };
    case 'audio-levels':
      return {
        ...state,
        loudness: new Map(action.event.map(({ participantId, dbov }) => [participantId, loudnessOf(dbov)])),
      };
    case 'starved':
      return {
        ...state,
        starved: action.starved
          ? new Set(state.starved).add(action.producerId)
          : without(state.starved, action.producerId),
      };
    case 'pin':
      return {
        ...state,
        pinnedId: state.pinnedId === action.participantId ? undefined : action.participantId,
      };
    case 'recommend-audio-only':
      return { ...state, suggestion: action.event.message };
    case 'suggestion-dismissed':
      return { ...state, suggestion: undefined };
    case 'link':
      return { ...state, link: action.link };
    case 'media':
      return { ...state, media: action.media };
    case 'speaking':
      return sameMembers(state.speaking, action.participantIds)
        ? state
        : { ...state, speaking: new Set(action.participantIds) };
    case 'audio-only':
      return { ...state, audioOnly: action.audioOnly };
    case 'sound-blocked':
      return { ...state, soundBlocked: action.blocked };
    case 'notice':
      return { ...state, notice: action.notice };
  }
}

/** Whether the server's refusal ends the visit; `undefined` while there is hope. */
export function refusalOf(state: RoomView): ProtocolError | undefined {
  return state.link.kind === 'refused' ? state.link.error : undefined;
}

/** A fresh state replaces everything that belonged to the seat before; producers are announced again after it. */
function enter(state: RoomView, event: RoomState): RoomView {
  return {
    ...state,
    room: event.room,
    selfId: event.self.participantId,
    participants: [...event.participants].sort((a, b) => a.joinedAtMs - b.joinedAtMs),
    producers: new Map(),
    ...NO_MEDIA,
    announcement: `You are in ${event.room.name}.`,
  };
}

function join(state: RoomView, event: RoomEvents['user-joined']): RoomView {
  const others = state.participants.filter((person) => person.id !== event.participant.id);
  return {
    ...state,
    room: withOccupancy(state.room, event.occupancy),
    participants: [...others, event.participant],
    announcement:
      event.participant.id === state.selfId
        ? state.announcement
        : `${event.participant.displayName} has joined.`,
  };
}

function leave(state: RoomView, event: RoomEvents['user-left']): RoomView {
  const person = state.participants.find(({ id }) => id === event.participantId);
  return {
    ...state,
    room: withOccupancy(state.room, event.occupancy),
    participants: state.participants.filter(({ id }) => id !== event.participantId),
    producers: new Map([...state.producers].filter(([, p]) => p.participantId !== event.participantId)),
    pinnedId: state.pinnedId === event.participantId ? undefined : state.pinnedId,
    leaderId: state.leaderId === event.participantId ? undefined : state.leaderId,
    announcement: person === undefined ? state.announcement : `${person.displayName} has left.`,
  };
}

/** What the event does not name stays; a goal that is null is none any more. */
function updated(person: Participant, event: RoomEvents['user-updated']): Participant {
  const { participantId: id, goal: changed, ...changes } = event;
  const { goal: before, ...rest } = person;
  const goal = changed === undefined ? before : (changed ?? undefined);
  return { ...rest, ...changes, id, ...(goal === undefined ? {} : { goal }) };
}

function setPaused(state: RoomView, producerId: string, paused: boolean): RoomView {
  const producer = state.producers.get(producerId);
  if (producer === undefined || producer.paused === paused) return state;
  return { ...state, producers: new Map(state.producers).set(producerId, { ...producer, paused }) };
}

/** The quietest and the loudest that make a difference to the eye, in dBov. */
const QUIET_DBOV = -60;
const LOUD_DBOV = -15;

function loudnessOf(dbov: number): number {
  return Math.min(Math.max((dbov - QUIET_DBOV) / (LOUD_DBOV - QUIET_DBOV), 0), 1);
}

function without(set: ReadonlySet<string>, id: string): ReadonlySet<string> {
  if (!set.has(id)) return set;
  const rest = new Set(set);
  rest.delete(id);
  return rest;
}

function withOccupancy(room: RoomInfo | undefined, occupancy: number): RoomInfo | undefined {
  return room === undefined ? undefined : { ...room, occupancy };
}

function sameMembers(set: ReadonlySet<string>, ids: readonly string[]): boolean {
  return set.size === ids.length && ids.every((id) => set.has(id));
}
