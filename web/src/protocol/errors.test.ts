import { describe, expect, it } from 'vitest';

import { connectErrorOf, problemOf, refusalOf } from './errors';

describe('a refused connection', () => {
  it('is read from data where the server can send it', () => {
    const error = Object.assign(new Error('RATE_LIMITED: Slow down.'), {
      data: { code: 'RATE_LIMITED', message: 'Slow down.', retryAfterMs: 1500 },
    });
    expect(connectErrorOf(error)).toMatchObject({
      code: 'RATE_LIMITED',
      message: 'Slow down.',
      retryAfterMs: 1500,
    });
  });

  it('is read from the message otherwise', () => {
    expect(connectErrorOf(new Error('ROOM_FULL: All seats are taken: come back later.'))).toMatchObject({
      code: 'ROOM_FULL',
      message: 'All seats are taken: come back later.',
      retryAfterMs: undefined,
    });
  });

  it.each(['xhr poll error', 'websocket error', 'timeout', '', 'Oops: no code', 'ROOM_FULL:'])(
    'without a code is a matter of the network: %j',
    (message) => {
      expect(connectErrorOf(new Error(message)).code).toBe('UNREACHABLE');
    },
  );

  it('with data that is not ours falls back to the message', () => {
    const error = Object.assign(new Error('BANNED: You may not enter.'), { data: { code: 7 } });
    expect(connectErrorOf(error).code).toBe('BANNED');
  });
});

describe('an answer', () => {
  it('with an error is a refusal', () => {
    expect(refusalOf({ error: 'No such producer.', code: 'NOT_FOUND' })).toMatchObject({
      code: 'NOT_FOUND',
      message: 'No such producer.',
    });
  });

  it('with an error but no code is still a refusal', () => {
    expect(refusalOf({ error: 'Something.' })?.code).toBe('UNKNOWN');
  });

  it.each([undefined, null, 'text', 3, {}, { connected: true }, { error: 3 }])(
    'without an error is none: %j',
    (answer) => {
      expect(refusalOf(answer)).toBeUndefined();
    },
  );
});

describe('an HTTP problem', () => {
  it('gives its detail and code', () => {
    expect(
      problemOf(400, { title: 'Bad', detail: 'The name is too long.', code: 'BAD_REQUEST' }),
    ).toMatchObject({
      code: 'BAD_REQUEST',
      message: 'The name is too long.',
    });
  });

  it('gives the status when there is nothing to read', () => {
    expect(problemOf(502, undefined).message).toContain('502');
  });
});
