import { expect, it } from 'vitest';

import type { Timer } from '../protocol/generated/messages';
import { clockFace, sentenceOfClock } from './phase';

const MINUTE_MS = 60_000;

const timer: Timer = {
  state: 'running',
  phase: 'focus',
  phases: [
    { kind: 'focus', durationMs: 25 * MINUTE_MS },
    { kind: 'short-break', durationMs: 5 * MINUTE_MS },
  ],
  index: 0,
  cycle: 0,
  endsAtMs: 1_000_000 + 10 * MINUTE_MS,
  remainingMs: 10 * MINUTE_MS,
  controlledBy: 'host',
  serverTimeMs: 1_000_000,
};

it.each([
  [0, 'focus', 10],
  [9 * MINUTE_MS, 'focus', 1],
  [10 * MINUTE_MS, 'short-break', 5],
  [14 * MINUTE_MS, 'short-break', 1],
  [15 * MINUTE_MS, 'focus', 25],
  [40 * MINUTE_MS, 'short-break', 5],
  [(10 + 3 * 30) * MINUTE_MS, 'short-break', 5],
])('after %d ms it is %s with %d minutes left', (agoMs, phase, minutes) => {
  expect(clockFace(timer, agoMs)).toEqual({ state: 'running', phase, remainingMs: minutes * MINUTE_MS });
});

it('stands still while it is paused', () => {
  expect(clockFace({ ...timer, state: 'paused' }, 99 * MINUTE_MS)).toEqual({
    state: 'paused',
    phase: 'focus',
  });
});

it.each([undefined, { ...timer, state: 'idle' as const }, { ...timer, phases: [], endsAtMs: 0 }])(
  'has nothing to tell where no clock runs',
  (none) => {
    expect(sentenceOfClock(clockFace(none, MINUTE_MS))).toBeUndefined();
  },
);

it('tells it in words', () => {
  expect(sentenceOfClock(clockFace(timer, 30_000))).toBe('Focus, 10 min left');
  expect(sentenceOfClock(clockFace({ ...timer, state: 'paused', phase: 'long-break' }, 0))).toBe(
    'Long break, paused',
  );
});
