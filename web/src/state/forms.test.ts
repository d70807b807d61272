import { expect, it } from 'vitest';

import { ProtocolError } from '../protocol/errors';
import { lengthOf, problemOfForm } from './forms';

it.each([
  [
    'password: 10 to 200 characters are allowed.',
    { field: 'password', sentence: '10 to 200 characters are allowed.' },
  ],
  ['email: an address is wanted.', { field: 'email', sentence: 'An address is wanted.' }],
  ['other: is wrong.', { field: undefined, sentence: 'other: is wrong.' }],
  ['Nothing is named.', { field: undefined, sentence: 'Nothing is named.' }],
])('%s', (message, expected) => {
  expect(problemOfForm(new ProtocolError('BAD_REQUEST', message), ['email', 'password'])).toEqual(expected);
});

it.each([
  [400, 'Slower. Try again in a second.'],
  [59_001, 'Slower. Try again in 60 seconds.'],
  [600_000, 'Slower. Try again in 10 minutes.'],
])('tells how long to wait: %d ms', (retryAfterMs, sentence) => {
  expect(problemOfForm(new ProtocolError('RATE_LIMITED', 'Slower.', retryAfterMs)).sentence).toBe(sentence);
});

it('has a sentence for our own mistakes', () => {
  expect(problemOfForm(new TypeError('x is undefined')).sentence).toMatch(/^[A-Z].*\.$/);
});

it('counts characters as the server does', () => {
  expect(lengthOf('e\u0301😀')).toBe(2);
});
