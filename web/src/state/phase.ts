/** What a room's clock shows now, from what it showed when the list was made: pure. */

import type { PhaseKind, Timer } from '../protocol/generated/messages';

export type ClockFace =
  /** It was not started, or there is none. */
  | { state: 'idle' }
  | { state: 'paused'; phase: PhaseKind }
  | { state: 'running'; phase: PhaseKind; remainingMs: number };

/** `agoMs`: how long ago the timer was told. */
export function clockFace(timer: Timer | undefined, agoMs: number): ClockFace {
  if (timer === undefined || timer.state === 'idle') return { state: 'idle' };
  if (timer.state === 'paused') return { state: 'paused', phase: timer.phase };
  const left = (timer.endsAtMs ?? timer.serverTimeMs + timer.remainingMs) - timer.serverTimeMs - agoMs;
  if (left > 0) return { state: 'running', phase: timer.phase, remainingMs: left };
  const roundMs = timer.phases.reduce((sum, { durationMs }) => sum + durationMs, 0);
  if (roundMs <= 0) return { state: 'idle' };
  // What is over since the end of that phase; whole rounds change nothing.
  let overMs = -left % roundMs;
  for (let step = 1; step <= timer.phases.length; step += 1) {
    const phase = timer.phases[(timer.index + step) % timer.phases.length];
    if (phase === undefined) break;
    if (overMs < phase.durationMs) {
      return { state: 'running', phase: phase.kind, remainingMs: phase.durationMs - overMs };
    }
    overMs -= phase.durationMs;
  }
  return { state: 'idle' };
}

const PHASES: Record<PhaseKind, string> = {
  focus: 'Focus',
  'short-break': 'Break',
  'long-break': 'Long break',
};

/** In words; `undefined` where there is nothing to tell. */
export function sentenceOfClock(face: ClockFace): string | undefined {
  switch (face.state) {
    case 'idle':
      return undefined;
    case 'paused':
      return `${PHASES[face.phase]}, paused`;
    case 'running':
      return `${PHASES[face.phase]}, ${Math.ceil(face.remainingMs / 60_000)} min left`;
  }
}
