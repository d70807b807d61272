import { describe, expect, it } from 'vitest';

import { ProtocolError } from './errors';
import { afterRefusal, backOff } from './retry';

const refusal = (code: string, retryAfterMs?: number): ProtocolError =>
  new ProtocolError(code, 'A sentence.', retryAfterMs);

describe('after a refusal', () => {
  it.each(['ROOM_NOT_FOUND', 'ROOM_LOCKED', 'BANNED', 'BAD_REQUEST', 'KICKED', 'SOMETHING_NEW'])(
    '%s is final',
    (code) => {
      expect(afterRefusal(refusal(code), { wasJoined: true, refusals: 1 })).toEqual({ kind: 'give-up' });
    },
  );

  it('a refused token is exchanged once', () => {
    const error = refusal('UNAUTHORIZED');
    expect(afterRefusal(error, { wasJoined: false, refusals: 1 })).toEqual({ kind: 'new-token' });
    expect(afterRefusal(error, { wasJoined: false, refusals: 2 })).toEqual({ kind: 'give-up' });
  });

  it('a full room is final for a newcomer, but not for one whose old seat may still be counted', () => {
    const error = refusal('ROOM_FULL');
    expect(afterRefusal(error, { wasJoined: false, refusals: 1 })).toEqual({ kind: 'give-up' });
    expect(afterRefusal(error, { wasJoined: true, refusals: 2 })).toEqual({ kind: 'wait', delayMs: 2_000 });
  });

  it('a limit is waited for as long as the server says', () => {
    const error = refusal('RATE_LIMITED', 4_321);
    expect(afterRefusal(error, { wasJoined: false, refusals: 1 })).toEqual({ kind: 'wait', delayMs: 4_321 });
  });

  it('a busy server that never gets free is not asked for ever', () => {
    expect(afterRefusal(refusal('SERVER_BUSY'), { wasJoined: true, refusals: 7 })).toEqual({
      kind: 'give-up',
    });
  });
});

it('waits twice as long each time, up to an end', () => {
  expect([1, 2, 3, 4, 5, 20].map(backOff)).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
});
