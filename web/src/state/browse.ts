/** Looking through the rooms: what is searched for, and the pages of it that came. Pure. */

import type { RoomInfo, RoomList } from '../protocol/generated/messages';

export interface BrowseView {
  /** As it was asked for. */
  query: string;
  /** `undefined` before the first answer. */
  rooms: readonly RoomInfo[] | undefined;
  /** What these were found by: not yet what is asked for, while that is pending. */
  foundBy: string;
  /** Where the next page begins. */
  next: string | undefined;
  /** How far the server's clock is ahead of ours, in milliseconds. */
  skewMs: number;
  /** Whether an answer is awaited that will change what is seen. */
  pending: boolean;
  problem: string | undefined;
}

export type BrowseAction =
  | { type: 'ask'; query: string }
  | { type: 'page'; query: string; cursor: string | undefined; list: RoomList; atMs: number }
  | { type: 'problem'; query: string; sentence: string };

export const initialBrowse: BrowseView = {
  query: '',
  rooms: undefined,
  foundBy: '',
  next: undefined,
  skewMs: 0,
  pending: false,
  problem: undefined,
};

export function reduceBrowse(state: BrowseView, action: BrowseAction): BrowseView {
  // What was asked for before is of no interest any more.
  if (action.type !== 'ask' && action.query !== state.query) return state;
  switch (action.type) {
    case 'ask':
      return { ...state, query: action.query, pending: true, problem: undefined };
    case 'page': {
      const { list, cursor, atMs } = action;
      const skewMs = skewOf(list, atMs) ?? state.skewMs;
      const settled = { ...state, next: list.next, pending: false, problem: undefined, skewMs };
      if (cursor === undefined) return { ...settled, rooms: list.rooms, foundBy: action.query };
      if (cursor !== state.next) return { ...state, pending: false };
      const known = new Set(state.rooms?.map(({ id }) => id));
      const added = list.rooms.filter(({ id }) => !known.has(id));
      return { ...settled, rooms: [...(state.rooms ?? []), ...added] };
    }
    case 'problem':
      return { ...state, pending: false, problem: action.sentence };
  }
}

/** Every clock that is told tells the server's time too. */
function skewOf({ rooms }: RoomList, atMs: number): number | undefined {
  const timer = rooms.find((room) => room.timer !== undefined)?.timer;
  return timer === undefined ? undefined : timer.serverTimeMs - atMs;
}

/** Rooms with how full they are by now. */
export function withOccupancy(
  rooms: readonly RoomInfo[],
  live: readonly RoomInfo[] | undefined,
): readonly RoomInfo[] {
  if (live === undefined) return rooms;
  const byId = new Map(live.map((room) => [room.id, room]));
  return rooms.map((room) => {
    const now = byId.get(room.id);
    return now === undefined ? room : { ...room, occupancy: now.occupancy, capacity: now.capacity };
  });
}
