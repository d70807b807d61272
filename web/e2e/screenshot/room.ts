/** `npm run screenshot`: the picture for the README, of the real client and server with drawn people. */

import { fileURLToPath } from 'node:url';

import { expect, test, type Person } from '../support/fixtures';
import { drawCamera, type Scene } from './camera';

const FILE = fileURLToPath(new URL('../../../docs/screenshot.png', import.meta.url));
const ROOM = 'study-room-1';

const SCENES: Record<string, Scene> = {
  Amara: {
    wall: '#dfe6df',
    shelf: '#b8c7bd',
    skin: '#8d5a3c',
    hair: '#2a1d19',
    longHair: true,
    shirt: '#c8553d',
    desk: '#8a6446',
    seat: 0.42,
  },
  Jonas: {
    wall: '#e9dfcf',
    shelf: '#cdb99b',
    skin: '#f0c9a6',
    hair: '#a5713f',
    longHair: false,
    shirt: '#3f6f8f',
    desk: '#6e5440',
    seat: 0.58,
  },
  'Mei Lin': {
    wall: '#d5dde8',
    shelf: '#a9b7ca',
    skin: '#eec39a',
    hair: '#1d1b22',
    longHair: true,
    shirt: '#e0b34f',
    desk: '#7d6250',
    seat: 0.56,
  },
  Tomás: {
    wall: '#e8d9d3',
    shelf: '#c7a99d',
    skin: '#c98f66',
    hair: '#3a2a22',
    longHair: false,
    shirt: '#4d7d5b',
    desk: '#5f4a3c',
    seat: 0.44,
  },
};
const WITHOUT_CAMERA = ['Priya Nair', 'Søren K.'];

test.use({ viewport: { width: 1280, height: 800 } });

test('a room with several people', async ({ people }) => {
  const seated: Person[] = [];
  for (const [name, scene] of Object.entries(SCENES)) {
    seated.push(
      await people.join(name, {
        room: ROOM,
        microphone: seated.length === 1,
        before: (context) => context.addInitScript(drawCamera, scene),
      }),
    );
  }
  for (const name of WITHOUT_CAMERA) {
    await people.join(name, { room: ROOM, camera: false, microphone: false });
  }
  const viewer = seated[0];
  if (viewer === undefined) throw new Error('nobody came');
  for (const { name } of seated.slice(1)) await viewer.expectToSee(name);
  await expect(viewer.tiles()).toHaveCount(seated.length + WITHOUT_CAMERA.length);
  // The large picture of each camera takes a moment to be sent in full.
  for (const { name } of seated.slice(1)) {
    await expect
      .poll(async () => (await viewer.received(name, 'camera')).frameWidth, { timeout: 60_000 })
      .toBeGreaterThanOrEqual(480);
  }
  await viewer.page.screenshot({ path: FILE });
});
