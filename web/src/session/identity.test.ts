import { expect, it } from 'vitest';

import { identityMemory } from './identity';

const GUEST = { token: 't', guestId: 'g', displayName: 'Ada', expiresAt: '2026-11-23T12:00:00Z' };

function storageOf(kept: Record<string, string>): Storage {
  const map = new Map(Object.entries(kept));
  return {
    getItem: (key: string) => map.get(key) ?? null,
    setItem: (key: string, value: string) => void map.set(key, value),
    removeItem: (key: string) => void map.delete(key),
  } as Storage;
}

it('remembers guests and the account', () => {
  const storage = storageOf({});
  const memory = identityMemory(storage);
  expect(memory.account()).toBeUndefined();
  memory.saveGuests([GUEST]);
  memory.saveAccount('u:1');
  const later = identityMemory(storage);
  expect(later.guests()).toEqual([GUEST]);
  expect(later.account()).toBe('u:1');
  later.saveAccount(undefined);
  later.saveGuests([]);
  expect(later.account()).toBeUndefined();
  expect(later.guests()).toEqual([]);
});

it.each(['', '{', '7', '{"token":"t"}', '[null,{"token":1}]'])('bears with %j in the storage', (kept) => {
  expect(identityMemory(storageOf({ 'studyhall.guests': kept })).guests()).toEqual([]);
});

it('remembers guests for this window where nothing can be stored', () => {
  const forbidden = (): never => {
    throw new Error('forbidden');
  };
  const memory = identityMemory({ getItem: forbidden, setItem: forbidden, removeItem: forbidden });
  memory.saveGuests([GUEST]);
  memory.saveAccount('u:1');
  expect(memory.guests()).toEqual([GUEST]);
  expect(memory.account()).toBeUndefined();
});
