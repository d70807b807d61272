/** People, producers and rooms for the tests of this folder. */

import type { NewProducer, Participant, RoomState } from '../protocol/generated/messages';
import { initialRoom, reduceRoom, type RoomAction, type RoomView } from './room';

export function person(id: string, joinedAtMs: number): Participant {
  return {
    id,
    displayName: id.toUpperCase(),
    role: 'guest',
    status: 'focusing',
    handRaised: false,
    audio: 'off',
    video: 'off',
    screen: 'off',
    joinedAtMs,
    connection: 'good',
  };
}

export function producer(
  producerId: string,
  participantId: string,
  source: NewProducer['source'],
): NewProducer {
  const kind = source === 'mic' || source === 'screen-audio' ? 'audio' : 'video';
  return { producerId, participantId, kind, source, paused: false };
}

export function entered(...participants: Participant[]): RoomAction {
  const event = {
    self: { participantId: 'me', role: 'guest' },
    room: { id: 'quiet', name: 'Quiet', topic: '', capacity: 50, occupancy: participants.length },
    participants,
    iceServers: [],
    serverTimeMs: 0,
  } as unknown as RoomState;
  return { type: 'room-state', event };
}

export function after(...actions: RoomAction[]): RoomView {
  return actions.reduce(reduceRoom, initialRoom);
}
