/** What to do after the server refused a connection: pure, so that each case is a line in a test. */

import type { ProtocolError } from './errors';

export type Retry =
  | { kind: 'wait'; delayMs: number }
  /** The token has run out or was refused: get another one, then try again. */
  | { kind: 'new-token' }
  /** Somebody in the room has to let us in: ask again, however often. */
  | { kind: 'knock-again'; delayMs: number }
  | { kind: 'give-up' };

export interface RefusalContext {
  /** Whether this client sat in the room before: then its own old seat may be what fills it. */
  wasJoined: boolean;
  /** Refusals in a row, this one included. */
  refusals: number;
}

/** More refusals in a row than this and the person is told. */
const MAX_REFUSALS = 6;
/** How often to knock where the server does not say. */
const KNOCK_AGAIN_MS = 2_000;
const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 15_000;

export function afterRefusal(error: ProtocolError, context: RefusalContext): Retry {
  if (error.code === 'WAITING') return { kind: 'knock-again', delayMs: error.retryAfterMs ?? KNOCK_AGAIN_MS };
  if (context.refusals > MAX_REFUSALS) return { kind: 'give-up' };
  switch (error.code) {
    case 'UNAUTHORIZED':
      return context.refusals === 1 ? { kind: 'new-token' } : { kind: 'give-up' };
    case 'RATE_LIMITED':
    case 'SERVER_BUSY':
      // Not sooner than asked for, and ever later: many may be waiting behind one address.
      return { kind: 'wait', delayMs: Math.max(error.retryAfterMs ?? 0, backOff(context.refusals)) };
    case 'UNREACHABLE':
    case 'ROOM_FULL':
      return context.wasJoined ? { kind: 'wait', delayMs: backOff(context.refusals) } : { kind: 'give-up' };
    default:
      return { kind: 'give-up' };
  }
}

/** 1 s, 2 s, 4 s … up to 15 s. */
export function backOff(attempt: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** (attempt - 1), MAX_DELAY_MS);
}
