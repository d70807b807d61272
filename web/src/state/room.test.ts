import { describe, expect, it } from 'vitest';

import { ProtocolError } from '../protocol/errors';
import { after, entered, person, producer } from './fixtures';
import { reduceRoom, refusalOf, type RoomAction } from './room';

const TWO = entered(person('me', 20), person('ada', 10));

describe('coming into a room', () => {
  it('shows everybody in the order of arrival', () => {
    const state = after(TWO);
    expect(state.selfId).toBe('me');
    expect(state.participants.map(({ id }) => id)).toEqual(['ada', 'me']);
  });

  it('again, after a reconnect, forgets what belonged to the seat before', () => {
    const state = after(
      TWO,
      { type: 'new-producer', event: producer('p1', 'ada', 'camera') },
      { type: 'speaking', participantIds: ['ada'] },
      entered(person('me', 30)),
    );
    expect(state.participants.map(({ id }) => id)).toEqual(['me']);
    expect(state.producers.size).toBe(0);
    expect(state.speaking.size).toBe(0);
  });

  it('keeps the choice to go without video across a reconnect', () => {
    const state = after(TWO, { type: 'audio-only', audioOnly: true }, entered(person('me', 30)));
    expect(state.audioOnly).toBe(true);
  });
});

describe('people', () => {
  it('come, are counted and announced', () => {
    const state = after(TWO, {
      type: 'user-joined',
      event: { participant: person('eve', 30), occupancy: 3 },
    });
    expect(state.participants.map(({ id }) => id)).toEqual(['ada', 'me', 'eve']);
    expect(state.room?.occupancy).toBe(3);
    expect(state.announcement).toBe('EVE has joined.');
  });

  it('who are announced twice are there once', () => {
    const event = { participant: person('ada', 40), occupancy: 2 };
    expect(after(TWO, { type: 'user-joined', event }).participants).toHaveLength(2);
  });

  it('who leave take everything they sent with them', () => {
    const state = after(
      TWO,
      { type: 'new-producer', event: producer('p1', 'ada', 'camera') },
      { type: 'new-producer', event: producer('p2', 'ada', 'mic') },
      { type: 'user-left', event: { participantId: 'ada', occupancy: 1, reason: 'left' } },
    );
    expect(state.participants.map(({ id }) => id)).toEqual(['me']);
    expect(state.producers.size).toBe(0);
    expect(state.announcement).toBe('ADA has left.');
  });

  it('who were never here can leave without harm', () => {
    const event = { participantId: 'nobody', occupancy: 2, reason: 'lost' as const };
    expect(after(TWO, { type: 'user-left', event }).participants).toHaveLength(2);
  });

  it('have their devices updated', () => {
    const state = after(TWO, { type: 'user-updated', event: { participantId: 'ada', audio: 'on' } });
    expect(state.participants.map(({ audio }) => audio)).toEqual(['on', 'off']);
  });
});

describe('a producer', () => {
  const camera: RoomAction = { type: 'new-producer', event: producer('p1', 'ada', 'camera') };

  it('is paused and resumed', () => {
    const event = { producerId: 'p1', participantId: 'ada' };
    const paused = after(TWO, camera, { type: 'producer-paused', event });
    expect(paused.producers.get('p1')?.paused).toBe(true);
    expect(reduceRoom(paused, { type: 'producer-resumed', event }).producers.get('p1')?.paused).toBe(false);
  });

  it('that is unknown is not paused', () => {
    const before = after(TWO);
    const event = { producerId: 'p9', participantId: 'ada' };
    expect(reduceRoom(before, { type: 'producer-paused', event })).toBe(before);
  });

  it('ends', () => {
    const event = { producerId: 'p1', participantId: 'ada' };
    expect(after(TWO, camera, { type: 'producer-closed', event }).producers.size).toBe(0);
  });
});

it('after the media were restarted, everybody is still there, and sends nothing yet', () => {
  const state = after(
    TWO,
    { type: 'new-producer', event: producer('p1', 'ada', 'camera') },
    { type: 'media-restarted' },
  );
  expect(state.participants).toHaveLength(2);
  expect(state.producers.size).toBe(0);
});

it('changes nothing when the same people go on speaking', () => {
  const state = after(TWO, { type: 'speaking', participantIds: ['ada'] });
  expect(reduceRoom(state, { type: 'speaking', participantIds: ['ada'] })).toBe(state);
});

it('tells of a refusal only when the server has said no for good', () => {
  const error = new ProtocolError('ROOM_FULL', 'All seats are taken.');
  expect(refusalOf(after({ type: 'link', link: { kind: 'reconnecting', reason: 'x' } }))).toBeUndefined();
  expect(refusalOf(after({ type: 'link', link: { kind: 'refused', error } }))).toBe(error);
});

it('shows the suggestion to go without video until it is dismissed', () => {
  const event = { message: 'Busy.', occupancy: 41 };
  const state = after(TWO, { type: 'recommend-audio-only', event });
  expect(state.suggestion).toBe('Busy.');
  expect(reduceRoom(state, { type: 'suggestion-dismissed' }).suggestion).toBeUndefined();
});
