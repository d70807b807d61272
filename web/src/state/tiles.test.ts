import { expect, it } from 'vitest';

import { after, entered, person, producer } from './fixtures';
import { reduceRoom } from './room';
import { OWN_CAMERA, sharesOf, tilesOf } from './tiles';

const TWO = entered(person('ada', 10), person('me', 20));
const SILENT = { micOn: false, cameraOn: false };

it('puts ourselves first and the others in the order of their arrival', () => {
  const state = after(entered(person('eve', 30), person('ada', 10), person('me', 20)));
  expect(tilesOf(state, SILENT).map((tile) => tile.participantId)).toEqual(['me', 'ada', 'eve']);
});

it('shows our own picture and microphone from our own devices', () => {
  const [self] = tilesOf(after(TWO), { micOn: true, cameraOn: true });
  expect(self).toMatchObject({ isSelf: true, cameraId: OWN_CAMERA, micOn: true });
});

it('shows a picture only while its producer sends', () => {
  const sending = after(TWO, { type: 'new-producer', event: producer('c1', 'ada', 'camera') });
  expect(tilesOf(sending, SILENT)[1]?.cameraId).toBe('c1');
  const event = { ...producer('c1', 'ada', 'camera'), paused: true };
  expect(tilesOf(after(TWO, { type: 'new-producer', event }), SILENT)[1]?.cameraId).toBeUndefined();
});

it('shows no pictures of others in audio-only mode, but still our own', () => {
  const state = after(
    TWO,
    { type: 'new-producer', event: producer('c1', 'ada', 'camera') },
    { type: 'audio-only', audioOnly: true },
  );
  const tiles = tilesOf(state, { micOn: false, cameraOn: true });
  expect(tiles.map((tile) => tile.cameraId)).toEqual([OWN_CAMERA, undefined]);
});

it('shows a microphone as on only while its producer sends', () => {
  const mic = producer('m1', 'ada', 'mic');
  const on = after(TWO, { type: 'new-producer', event: mic });
  expect(tilesOf(on, SILENT)[1]?.micOn).toBe(true);
  const muted = after(TWO, { type: 'new-producer', event: { ...mic, paused: true } });
  expect(tilesOf(muted, SILENT)[1]?.micOn).toBe(false);
});

it('puts the screens of others on the stage, with the name of who shares', () => {
  const state = after(
    TWO,
    { type: 'new-producer', event: producer('s1', 'ada', 'screen') },
    { type: 'new-producer', event: producer('a1', 'ada', 'screen-audio') },
    { type: 'new-producer', event: producer('s2', 'me', 'screen') },
  );
  expect(sharesOf(state)).toMatchObject([{ producerId: 's1', title: 'ADA’s screen', isScreen: true }]);
  expect(sharesOf(state)).toHaveLength(1);
});

it('shows who is pinned large until they leave or are unpinned', () => {
  const there = after(
    entered(person('me', 1), person('ada', 2)),
    { type: 'new-producer', event: producer('c1', 'ada', 'camera') },
    { type: 'pin', participantId: 'ada' },
  );
  expect(sharesOf(there)).toMatchObject([{ producerId: 'c1', title: 'ADA', isScreen: false }]);
  expect(sharesOf(reduceRoom(there, { type: 'pin', participantId: 'ada' }))).toEqual([]);
  const left = { participantId: 'ada', occupancy: 1, reason: 'left' } as const;
  expect(reduceRoom(there, { type: 'user-left', event: left }).pinnedId).toBeUndefined();
});

it('puts who is pinned beside a shared screen, after it', () => {
  const state = after(
    TWO,
    { type: 'new-producer', event: producer('c1', 'ada', 'camera') },
    { type: 'pin', participantId: 'ada' },
    { type: 'new-producer', event: producer('s1', 'ada', 'screen') },
    { type: 'starved', producerId: 's1', starved: true },
  );
  expect(sharesOf(state).map(({ producerId, starved }) => [producerId, starved])).toEqual([
    ['s1', true],
    ['c1', false],
  ]);
});

it('shows how loud each is whom the server hears, until it hears nobody', () => {
  const loud = after(TWO, {
    type: 'audio-levels',
    event: [
      { participantId: 'ada', dbov: -10 },
      { participantId: 'me', dbov: -127 },
    ],
  });
  const loudness = (state: typeof loud): number[] => tilesOf(state, SILENT).map((tile) => tile.loudness);
  expect(loudness(loud)).toEqual([0, 1]);
  expect(loudness(reduceRoom(loud, { type: 'audio-levels', event: [] }))).toEqual([0, 0]);
});

it('tells which picture waits for a faster connection', () => {
  const there = after(
    entered(person('me', 1), person('ada', 2)),
    { type: 'new-producer', event: producer('c1', 'ada', 'camera') },
    { type: 'starved', producerId: 'c1', starved: true },
  );
  const starved = (state: typeof there): boolean[] =>
    tilesOf(state, { micOn: false, cameraOn: false }).map((tile) => tile.starved);
  expect(starved(there)).toEqual([false, true]);
  expect(starved(reduceRoom(there, { type: 'starved', producerId: 'c1', starved: false }))).toEqual([
    false,
    false,
  ]);
});
