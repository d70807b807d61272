/**
 * What a room is beside pictures and sound, as a function of what happened: the clock, the chat, who waits, and what people
 * feel for a moment. The people themselves are in `room.ts`.
 */

import type { Message, PhaseKind, RoomEvents, Timer, WaitingPerson } from '../protocol/generated/messages';

/** Messages that are kept in the window; older ones are asked for. */
const MAX_MESSAGES = 500;
/** Reactions that are shown at the same time. */
const MAX_REACTIONS = 50;

export interface ShownReaction {
  key: number;
  participantId: string;
  emoji: string;
}

export interface ActivityView {
  timer: Timer | undefined;
  /** The server's time where this window's steady clock is 0, in milliseconds; `undefined` before any was told. */
  epochMs: number | undefined;
  /** Oldest first. */
  messages: readonly Message[];
  /** Messages of others that came while the chat was not seen. */
  unread: number;
  chatSeen: boolean;
  waiting: readonly WaitingPerson[];
  reactions: readonly ShownReaction[];
  /** The phase that began while we were here, until it was told for a while. */
  begun: PhaseKind | undefined;
  /** How many reactions there were. */
  reacted: number;
}

type Event<N extends keyof RoomEvents> = { type: N; event: RoomEvents[N] };

/** `atMs` is the window's steady clock. */
export type ActivityAction =
  | (Event<'room-state'> & { atMs: number })
  | (Event<'timer'> & { atMs: number })
  | (Event<'resumed'> & { atMs: number })
  | (Event<'new-message'> & { selfId: string | undefined })
  | Event<'chat-cleared'>
  | Event<'waiting'>
  | Event<'reaction'>
  | { type: 'reaction-over'; key: number }
  | { type: 'begun-over' }
  | { type: 'older-messages'; messages: readonly Message[] }
  | { type: 'chat-seen'; seen: boolean };

export const initialActivity: ActivityView = {
  timer: undefined,
  epochMs: undefined,
  messages: [],
  unread: 0,
  chatSeen: false,
  waiting: [],
  begun: undefined,
  reactions: [],
  reacted: 0,
};

export function reduceActivity(state: ActivityView, action: ActivityAction): ActivityView {
  switch (action.type) {
    case 'room-state': {
      const { timer, messages, serverTimeMs } = action.event;
      // The server may be another one since: what its clock was before is worth nothing.
      return {
        ...state,
        timer,
        messages,
        waiting: [],
        begun: undefined,
        epochMs: serverTimeMs - action.atMs,
      };
    }
    case 'timer':
      return {
        ...state,
        timer: action.event,
        begun: begins(state.timer, action.event) ? action.event.phase : keptOf(state, action.event),
        epochMs: closest(state, action.event, action.atMs),
      };
    case 'resumed':
      return { ...state, epochMs: closest(state, action.event, action.atMs) };
    case 'new-message': {
      const isOther = action.event.participantId !== action.selfId;
      return {
        ...state,
        messages: [...state.messages, action.event].slice(-MAX_MESSAGES),
        unread: isOther && !state.chatSeen ? state.unread + 1 : state.unread,
      };
    }
    case 'chat-cleared':
      return { ...state, messages: [], unread: 0 };
    case 'waiting':
      return { ...state, waiting: action.event.people };
    case 'reaction': {
      const reaction = { key: state.reacted, ...action.event };
      return {
        ...state,
        reacted: state.reacted + 1,
        reactions: [...state.reactions, reaction].slice(-MAX_REACTIONS),
      };
    }
    case 'reaction-over':
      return { ...state, reactions: state.reactions.filter(({ key }) => key !== action.key) };
    case 'begun-over':
      return { ...state, begun: undefined };
    case 'older-messages': {
      const known = new Set(state.messages.map(({ id }) => id));
      const older = action.messages.filter(({ id }) => !known.has(id));
      return { ...state, messages: [...older, ...state.messages] };
    }
    case 'chat-seen':
      return { ...state, chatSeen: action.seen, unread: action.seen ? 0 : state.unread };
  }
}

/** Whether another phase runs now; one that goes on after a pause does not begin. */
function begins(before: Timer | undefined, now: Timer): boolean {
  if (before === undefined || now.state !== 'running') return false;
  return before.state === 'idle' || before.index !== now.index || before.cycle !== now.cycle;
}

/** A clock that stands has begun nothing. */
function keptOf({ begun }: ActivityView, now: Timer): PhaseKind | undefined {
  return now.state === 'running' ? begun : undefined;
}

/** What comes says how late it is by no means; what came soonest is closest to the truth. */
function closest(state: ActivityView, { serverTimeMs }: { serverTimeMs: number }, atMs: number): number {
  return Math.max(state.epochMs ?? -Infinity, serverTimeMs - atMs);
}

/** What is left of the phase now, in milliseconds. */
export function remainingMs({ timer, epochMs }: ActivityView, atMs: number): number {
  if (timer === undefined) return 0;
  if (timer.endsAtMs === undefined || epochMs === undefined) return timer.remainingMs;
  return Math.max(timer.endsAtMs - (epochMs + atMs), 0);
}

/** As `25:00`, or `1:05:00`; the second that has begun counts as whole. */
export function clockText(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  const [h, m, s] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`;
}

export const PHASE_NAMES = {
  focus: 'Focus',
  'short-break': 'Break',
  'long-break': 'Long break',
} as const;
