import { describe, expect, it, vi } from 'vitest';

import { ProtocolError } from './errors';
import type { Guest, SignedIn, User } from './generated/messages';
import { Identity, MAX_GUESTS, type IdentityMemory } from './identity';

const HOUR_MS = 3_600_000;

interface Setting {
  guestLifetimeMs?: number;
  account?: string;
  refresh?: () => Promise<SignedIn>;
  guests?: Guest[];
}

function user(name: string): User {
  const settings = { isAdmin: false, timeZone: 'UTC', onLeaderboard: false, restDays: 0 };
  return { id: 'u:1', displayName: name, createdAt: '2026-11-23T00:00:00Z', ...settings };
}

function remembering(account?: string, guests: readonly Guest[] = []): IdentityMemory {
  let kept = { account, guests };
  return {
    guests: () => [...kept.guests],
    saveGuests: (next) => (kept = { ...kept, guests: next }),
    account: () => kept.account,
    saveAccount: (id) => (kept = { ...kept, account: id }),
  };
}

function meet({ guestLifetimeMs = HOUR_MS, account, refresh, guests }: Setting = {}) {
  const now = { ms: 0 };
  const memory = remembering(account, guests);
  let made = 0;
  let refreshed = 0;
  const doors = {
    createGuest: (displayName: string): Promise<Guest> => {
      made += 1;
      const expiresAt = new Date(now.ms + guestLifetimeMs).toISOString();
      return Promise.resolve({ token: `guest-${made}`, guestId: `g${made}`, displayName, expiresAt });
    },
    refresh:
      refresh ??
      ((): Promise<SignedIn> => {
        refreshed += 1;
        const expiresAt = new Date(now.ms + 15 * 60_000).toISOString();
        return Promise.resolve({ token: `account-${refreshed}`, expiresAt, user: user('Ada') });
      }),
    alone: <T>(run: () => Promise<T>): Promise<T> => run(),
  };
  return { identity: new Identity(doors, memory, () => now.ms), now, memory, refreshes: () => refreshed };
}

describe('a guest', () => {
  it('is made once for the same name', async () => {
    const { identity } = meet();
    expect(await identity.token('Ada', false)).toBe('guest-1');
    expect(await identity.token('Ada', false)).toBe('guest-1');
  });

  it('is made for another name, and again when the token is refused', async () => {
    const { identity } = meet();
    await identity.token('Ada', false);
    expect(await identity.token('Grace', false)).toBe('guest-2');
    expect(await identity.token('Grace', true)).toBe('guest-3');
    expect(identity.guests().map(({ token }) => token)).toEqual(['guest-3', 'guest-1']);
  });

  it('is the same after a reload, under the name they had', async () => {
    const { identity, memory } = meet();
    await identity.token('Ada', false);
    await identity.token('Grace', false);
    const again = meet({ guests: memory.guests() });
    expect(await again.identity.token('Ada', false)).toBe('guest-1');
    expect(await again.identity.accessToken(false)).toBe('guest-1');
  });

  it('is made again shortly before the token runs out', async () => {
    const { identity, now } = meet({ guestLifetimeMs: 60_000 });
    await identity.token('Ada', false);
    now.ms = 29_000;
    expect(await identity.token('Ada', false)).toBe('guest-1');
    now.ms = 31_000;
    expect(await identity.token('Ada', false)).toBe('guest-2');
    expect(identity.guests()).toHaveLength(1);
  });

  it('has no token to ask with before the first room, and none after it was refused', async () => {
    const { identity } = meet();
    expect(await identity.accessToken(false)).toBeUndefined();
    await identity.token('Ada', false);
    expect(await identity.accessToken(false)).toBe('guest-1');
    expect(await identity.accessToken(true)).toBeUndefined();
    expect(await identity.accessToken(false)).toBeUndefined();
  });

  it('is forgotten where there are too many', async () => {
    const { identity, memory } = meet();
    for (let index = 0; index < MAX_GUESTS + 2; index += 1) await identity.token(`Ada ${index}`, false);
    expect(memory.guests()).toHaveLength(MAX_GUESTS);
    expect(memory.guests()[0]?.displayName).toBe(`Ada ${MAX_GUESTS + 1}`);
  });
});

describe('an account', () => {
  it('is asked for at the start only where somebody was signed in', async () => {
    const nobody = meet();
    expect(nobody.identity.who.get()).toEqual({ kind: 'guest' });
    expect(nobody.refreshes()).toBe(0);
    const somebody = meet({ account: 'u:1' });
    expect(somebody.identity.who.get()).toEqual({ kind: 'checking' });
    await vi.waitFor(() => expect(somebody.identity.who.get().kind).toBe('account'));
    expect(somebody.refreshes()).toBe(1);
  });

  it('has its own token under whatever name, renewed before it ends and once for all who ask', async () => {
    const { identity, now, refreshes } = meet({ account: 'u:1' });
    expect(await identity.token('Somebody', false)).toBe('account-1');
    expect(await identity.accessToken(false)).toBe('account-1');
    now.ms = 15 * 60_000 - 20_000;
    const tokens = await Promise.all([identity.token('Somebody', false), identity.accessToken(false)]);
    expect(tokens).toEqual(['account-2', 'account-2']);
    expect(refreshes()).toBe(2);
  });

  it('gets another token when it was changed', async () => {
    const { identity } = meet({ account: 'u:1' });
    await identity.accessToken(false);
    identity.changed(user('Countess'));
    expect(identity.who.get()).toEqual({ kind: 'account', user: user('Countess') });
    expect(await identity.accessToken(false)).toBe('account-2');
  });

  it('does not become a guest without a word when its login has ended', async () => {
    const refresh = (): Promise<SignedIn> =>
      Promise.reject(new ProtocolError('UNAUTHORIZED', 'It has ended.'));
    const { identity, memory } = meet({ account: 'u:1', refresh });
    await expect(identity.token('Ada', false)).rejects.toMatchObject({ code: 'LOGIN_ENDED' });
    expect(identity.who.get()).toEqual({ kind: 'guest' });
    expect(memory.account()).toBeUndefined();
    expect(await identity.token('Ada', false)).toBe('guest-1');
  });

  it('stays signed in while the server is away', async () => {
    const refresh = vi.fn<() => Promise<SignedIn>>();
    refresh.mockRejectedValueOnce(new ProtocolError('UNREACHABLE', 'The server cannot be reached.'));
    const expiresAt = new Date(HOUR_MS).toISOString();
    refresh.mockResolvedValue({ token: 'late', expiresAt, user: user('Ada') });
    vi.useFakeTimers();
    try {
      const { identity, memory } = meet({ account: 'u:1', refresh });
      await expect(identity.token('Ada', false)).rejects.toMatchObject({ code: 'UNREACHABLE' });
      expect(identity.who.get()).toEqual({ kind: 'checking' });
      expect(memory.account()).toBe('u:1');
      await vi.advanceTimersByTimeAsync(1_000);
      expect(identity.who.get().kind).toBe('account');
    } finally {
      vi.useRealTimers();
    }
  });

  it('follows other windows that sign in and out', async () => {
    const { identity, memory } = meet();
    memory.saveAccount('u:1');
    identity.lookAgain();
    await vi.waitFor(() => expect(identity.who.get().kind).toBe('account'));
    memory.saveAccount(undefined);
    identity.lookAgain();
    expect(identity.who.get()).toEqual({ kind: 'guest' });
  });
});
