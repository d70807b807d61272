import { expect, it } from 'vitest';

import type { Guest } from './generated/messages';
import { Identity } from './identity';

function counting(lifetimeMs: number): { create: (name: string) => Promise<Guest>; now: { ms: number } } {
  let count = 0;
  const now = { ms: 0 };
  const create = (displayName: string): Promise<Guest> => {
    count += 1;
    const expiresAt = new Date(now.ms + lifetimeMs).toISOString();
    return Promise.resolve({ token: `token-${count}`, guestId: `g${count}`, displayName, expiresAt });
  };
  return { create, now };
}

it('asks once for the same name', async () => {
  const { create, now } = counting(3_600_000);
  const identity = new Identity(create, () => now.ms);
  expect(await identity.token('Ada', false)).toBe('token-1');
  expect(await identity.token('Ada', false)).toBe('token-1');
});

it('asks again for another name, and when a fresh token is wanted', async () => {
  const { create, now } = counting(3_600_000);
  const identity = new Identity(create, () => now.ms);
  await identity.token('Ada', false);
  expect(await identity.token('Grace', false)).toBe('token-2');
  expect(await identity.token('Grace', true)).toBe('token-3');
});

it('asks again shortly before the token runs out', async () => {
  const { create, now } = counting(60_000);
  const identity = new Identity(create, () => now.ms);
  await identity.token('Ada', false);
  now.ms = 29_000;
  expect(await identity.token('Ada', false)).toBe('token-1');
  now.ms = 31_000;
  expect(await identity.token('Ada', false)).toBe('token-2');
});
