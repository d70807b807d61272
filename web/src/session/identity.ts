/** What this browser remembers of who we are, for all of its windows. */

import type { IdentityMemory } from '../protocol/identity';
import type { Guest } from '../protocol/generated/messages';

type Storage = Pick<globalThis.Storage, 'getItem' | 'setItem' | 'removeItem'>;

const GUESTS_KEY = 'studyhall.guests';
const ACCOUNT_KEY = 'studyhall.account';
const LOCK = 'studyhall.refresh';

/** Storage may be full, forbidden or hold anything: whatever does not fit is as if it were not there. */
export function identityMemory(storage: Storage): IdentityMemory {
  // What cannot be stored is remembered by this window.
  let guests: readonly Guest[] = [];
  return {
    guests: () => {
      const kept = orElse(undefined, () => JSON.parse(storage.getItem(GUESTS_KEY) ?? '[]') as unknown);
      return Array.isArray(kept) && kept.length > 0 ? kept.filter(isGuest) : [...guests];
    },
    saveGuests: (next) => {
      guests = next;
      orElse(undefined, () => storage.setItem(GUESTS_KEY, JSON.stringify(next)));
    },
    account: () => orElse(undefined, () => storage.getItem(ACCOUNT_KEY) ?? undefined),
    saveAccount: (id) =>
      orElse(undefined, () =>
        id === undefined ? storage.removeItem(ACCOUNT_KEY) : storage.setItem(ACCOUNT_KEY, id),
      ),
  };
}

/** In place of an account's id when the browser leaves for another site's login: whoever comes back may be signed in. */
export const EXPECTED = 'expected';

/** Calls `run` when another window signs in or out. */
export function watchAccount(run: () => void): () => void {
  const listen = (event: StorageEvent): void => {
    if (event.key === ACCOUNT_KEY || event.key === null) run();
  };
  window.addEventListener('storage', listen);
  return () => window.removeEventListener('storage', listen);
}

/** One window of this browser at a time. Pages that came over plain http have no locks; the server bears with them. */
export async function alone<T>(run: () => Promise<T>): Promise<T> {
  const locks = (navigator as Partial<Navigator>).locks;
  if (locks === undefined) return run();
  return await locks.request(LOCK, run);
}

function isGuest(value: unknown): value is Guest {
  if (typeof value !== 'object' || value === null) return false;
  const { token, guestId, displayName, expiresAt } = value as Record<string, unknown>;
  return [token, guestId, displayName, expiresAt].every((each) => typeof each === 'string');
}

function orElse<T>(otherwise: T, attempt: () => T): T {
  try {
    return attempt();
  } catch {
    return otherwise;
  }
}
