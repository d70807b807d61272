import { expect, it } from 'vitest';

import type { LobbyEvents } from '../protocol/generated/messages';
import { initialLobby, reduceLobby } from './lobby';

const rooms = [
  { id: 'a', name: 'A', topic: '', capacity: 50, occupancy: 0 },
  { id: 'b', name: 'B', topic: '', capacity: 50, occupancy: 7 },
] as LobbyEvents['lobby-state']['rooms'];

it('has no rooms before the server has told of them', () => {
  expect(initialLobby.rooms).toBeUndefined();
});

it('follows the occupancy of each room', () => {
  const state = reduceLobby(initialLobby, { type: 'state', event: { rooms } });
  const next = reduceLobby(state, { type: 'occupancy', event: { roomId: 'a', occupancy: 3, capacity: 20 } });
  expect(next.rooms?.map(({ occupancy, capacity }) => [occupancy, capacity])).toEqual([
    [3, 20],
    [7, 50],
  ]);
});

it('keeps the list when the connection goes', () => {
  const state = reduceLobby(initialLobby, { type: 'state', event: { rooms } });
  expect(reduceLobby(state, { type: 'live', live: false })).toEqual({ rooms, live: false });
});
