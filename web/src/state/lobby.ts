/** The list of rooms as a function of what the server told. */

import type { LobbyEvents } from '../protocol/generated/messages';
import type { RoomInfo } from '../protocol/generated/messages';

export interface LobbyView {
  /** `undefined` before the first answer. */
  rooms: readonly RoomInfo[] | undefined;
  live: boolean;
}

export type LobbyAction =
  | { type: 'state'; event: LobbyEvents['lobby-state'] }
  | { type: 'occupancy'; event: LobbyEvents['room-occupancy'] }
  | { type: 'live'; live: boolean };

export const initialLobby: LobbyView = { rooms: undefined, live: false };

export function reduceLobby(state: LobbyView, action: LobbyAction): LobbyView {
  switch (action.type) {
    case 'state':
      return { ...state, rooms: action.event.rooms };
    case 'occupancy':
      return {
        ...state,
        rooms: state.rooms?.map((room) =>
          room.id === action.event.roomId
            ? { ...room, occupancy: action.event.occupancy, capacity: action.event.capacity }
            : room,
        ),
      };
    case 'live':
      return { ...state, live: action.live };
  }
}
