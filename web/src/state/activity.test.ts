import { describe, expect, test } from 'vitest';

import type { Message, RoomState, Timer } from '../protocol/generated/messages';
import {
  clockText,
  initialActivity,
  reduceActivity,
  remainingMs,
  type ActivityAction,
  type ActivityView,
} from './activity';

function after(...actions: ActivityAction[]): ActivityView {
  return actions.reduce(reduceActivity, initialActivity);
}

function timer(change: Partial<Timer> = {}): Timer {
  return {
    state: 'running',
    phase: 'focus',
    phases: [{ kind: 'focus', durationMs: 60_000 }],
    index: 0,
    cycle: 0,
    endsAtMs: 1_060_000,
    remainingMs: 60_000,
    controlledBy: 'everyone',
    serverTimeMs: 1_000_000,
    ...change,
  };
}

function message(id: string, participantId = 'other'): Message {
  return { id, participantId, displayName: 'Ada', content: "don't", type: 'text', sentAtMs: 0 };
}

function entered(messages: Message[] = []): ActivityAction {
  const event = { timer: timer(), messages, serverTimeMs: 1_000_000 } as unknown as RoomState;
  return { type: 'room-state', event, atMs: 500 };
}

describe('the clock', () => {
  test('goes by the time of the server, whatever the clock of this machine says', () => {
    expect(remainingMs(after(entered()), 10_500)).toBe(50_000);
    expect(remainingMs(after(entered()), 100_000)).toBe(0);
  });

  test('the event that came soonest is believed', () => {
    const late: ActivityAction = { type: 'timer', event: timer({ serverTimeMs: 1_005_000 }), atMs: 5_900 };
    expect(remainingMs(after(entered(), late), 10_500)).toBe(50_000);
    const sooner: ActivityAction = { type: 'timer', event: timer({ serverTimeMs: 1_005_000 }), atMs: 5_450 };
    expect(remainingMs(after(entered(), sooner), 10_500)).toBe(49_950);
  });

  test('stands while it is paused', () => {
    const { endsAtMs: _gone, ...paused } = timer({ state: 'paused', remainingMs: 42_000 });
    expect(_gone).toBeDefined();
    expect(remainingMs(after(entered(), { type: 'timer', event: paused, atMs: 600 }), 99_000)).toBe(42_000);
  });

  test('is written as people write it', () => {
    expect([0, 1, 59_999, 60_000, 1_500_000, 3_600_000, 3_661_000].map(clockText)).toEqual([
      '00:00',
      '00:01',
      '01:00',
      '01:00',
      '25:00',
      '1:00:00',
      '1:01:01',
    ]);
  });
});

describe('the chat', () => {
  const said = (id: string, who = 'other'): ActivityAction => ({
    type: 'new-message',
    event: message(id, who),
    selfId: 'me',
  });

  test('what others say while nobody looks is counted', () => {
    expect(after(entered(), said('1'), said('2', 'me'), said('3')).unread).toBe(2);
    const seen: ActivityAction = { type: 'chat-seen', seen: true };
    expect(after(entered(), said('1'), seen, said('2')).unread).toBe(0);
  });

  test('older messages come before, each once', () => {
    const older: ActivityAction = { type: 'older-messages', messages: [message('0'), message('1')] };
    expect(after(entered([message('1'), message('2')]), older).messages.map(({ id }) => id)).toEqual([
      '0',
      '1',
      '2',
    ]);
  });

  test('what was cleared is gone', () => {
    expect(after(entered([message('1')]), { type: 'chat-cleared', event: { by: 'Ada' } }).messages).toEqual(
      [],
    );
  });
});

test('a reaction is shown until it is over', () => {
  const react: ActivityAction = { type: 'reaction', event: { participantId: 'a', emoji: '🎉' } };
  const shown = after(react, react);
  expect(shown.reactions.map(({ key }) => key)).toEqual([0, 1]);
  expect(reduceActivity(shown, { type: 'reaction-over', key: 0 }).reactions.map(({ key }) => key)).toEqual([
    1,
  ]);
});

describe('that a phase began', () => {
  const tell = (change: Partial<Timer>): ActivityAction => ({
    type: 'timer',
    event: timer(change),
    atMs: 500,
  });
  const toBreak = tell({ index: 1, phase: 'short-break' });

  test('is told when another one runs, and for a while', () => {
    const told = after(entered(), toBreak);
    expect(told.begun).toBe('short-break');
    expect(reduceActivity(told, { type: 'begun-over' }).begun).toBeUndefined();
    expect(after(entered(), tell({ cycle: 1 })).begun).toBe('focus');
    expect(after(entered(), tell({ state: 'idle' }), tell({})).begun).toBe('focus');
  });

  test('is not told to who comes in the middle, nor after a pause', () => {
    expect(after(entered()).begun).toBeUndefined();
    expect(after(entered(), tell({ state: 'paused' }), tell({})).begun).toBeUndefined();
    expect(after(entered(), toBreak, tell({ index: 1, state: 'paused' })).begun).toBeUndefined();
  });
});
