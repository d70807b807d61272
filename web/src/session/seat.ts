/** The seat of this tab, kept across a reload and not for a copy of the tab: that is a second visit. */

import type { KeptSeat, SeatMemory } from '../protocol/seat';

type Storage = Pick<globalThis.Storage, 'getItem' | 'setItem' | 'removeItem'>;

const KEY = 'studyhall.seat';

/** Whether what is in the storage is of this tab: asked once, because after that it is. */
let isReloaded = wasReloaded();

export function seatOfThisTab(): SeatMemory {
  const memory = seatMemory(sessionStorage);
  if (!isReloaded) memory.forget();
  isReloaded = false;
  return memory;
}

/** Storage may be full, forbidden or hold anything: whatever does not fit is as if it were not there. */
export function seatMemory(storage: Storage): SeatMemory {
  return {
    load: () => orElse(undefined, () => seatOf(JSON.parse(storage.getItem(KEY) ?? 'null'))),
    save: (seat) => orElse(undefined, () => storage.setItem(KEY, JSON.stringify(seat))),
    forget: () => orElse(undefined, () => storage.removeItem(KEY)),
  };
}

function seatOf(value: unknown): KeptSeat | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { roomId, token, resumeToken } = value as Record<string, unknown>;
  if (typeof roomId !== 'string' || typeof token !== 'string' || typeof resumeToken !== 'string') {
    return undefined;
  }
  return { roomId, token, resumeToken };
}

function orElse<T>(otherwise: T, attempt: () => T): T {
  try {
    return attempt();
  } catch {
    return otherwise;
  }
}

function wasReloaded(): boolean {
  if (typeof PerformanceNavigationTiming === 'undefined') return false;
  const [navigation] = performance.getEntriesByType('navigation');
  return navigation instanceof PerformanceNavigationTiming && navigation.type === 'reload';
}
