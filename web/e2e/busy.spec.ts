/** A room with more than forty people in it, most of whom only sit there. */

import { io, type Socket } from 'socket.io-client';

import { expect, test } from './support/fixtures';

const ROOM = 'study-room-1';
const SITTING = 41;

let seats: Socket[] = [];

/** Somebody who takes a seat and neither sends nor receives media. */
async function sit(url: string, name: string): Promise<Socket> {
  const response = await fetch(`${url}/api/guests`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ displayName: name }),
  });
  const { token } = (await response.json()) as { token: string };
  const socket = io(`${url}/room`, {
    auth: { token, roomId: ROOM },
    forceNew: true,
    transports: ['websocket'],
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('room-state', () => resolve());
    socket.once('connect_error', reject);
  });
  return socket;
}

test.afterEach(() => {
  for (const socket of seats) socket.disconnect();
  seats = [];
});

test('a busy room suggests to go without video, and everybody has a tile', async ({ people }) => {
  for (let index = 1; index <= SITTING; index += 1) seats.push(await sit(people.url, `Student ${index}`));
  const ada = await people.join('Ada', { room: ROOM });
  await ada.page.setViewportSize({ width: 1440, height: 900 });
  await expect(ada.tiles()).toHaveCount(SITTING + 1);
  const ends = await ada
    .tiles()
    .evaluateAll((tiles) =>
      tiles.map((tile) => [tile.getBoundingClientRect().right, tile.getBoundingClientRect().bottom]),
    );
  for (const [right = Infinity, bottom = Infinity] of ends) {
    expect(right).toBeLessThanOrEqual(1440);
    expect(bottom).toBeLessThanOrEqual(900);
  }

  await ada.press('Turn my camera off');
  await expect(ada.tileOf('Ada')).toHaveAccessibleName(/camera off$/);
  const grace = await people.join('Grace', { room: ROOM });
  await ada.expectToSee('Grace');
  await ada.press('Hide videos');
  await expect(ada.videoOf('Grace')).toHaveCount(0);
  await ada.expectToHear('Grace');
  expect((await ada.stats()).inbound.map(({ source }) => source)).toEqual(['mic']);
  await ada.press('Show videos');
  await ada.expectToSee('Grace');
  await grace.page.getByRole('button', { name: 'Dismiss' }).click();
  await expect(grace.page.getByRole('button', { name: 'Hide videos' })).toHaveCount(0);
});
