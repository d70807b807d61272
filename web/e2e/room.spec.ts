/** The main thing: people in a room see and hear each other, and nobody who has left stays on the wall. */

import { expect, HD, test } from './support/fixtures';

test('two people see and hear each other', async ({ people }) => {
  const ada = await people.join('Ada', { room: 'study-room-1', picture: HD });
  const grace = await people.join('Grace', { room: 'study-room-1', picture: HD });
  await ada.expectToSee('Grace');
  await ada.expectToHear('Grace');
  await grace.expectToSee('Ada');
  await grace.expectToHear('Ada');
  await expect(ada.page.getByTestId('connection')).toHaveText('Connected');
});

test('media are encrypted with an authenticated cipher', async ({ people }) => {
  const ada = await people.join('Ada', { room: 'study-room-2' });
  const grace = await people.join('Grace', { room: 'study-room-2' });
  await ada.expectToSee('Grace');
  for (const person of [ada, grace]) {
    const { transports } = await person.stats();
    expect(transports.map(({ direction }) => direction).sort()).toEqual(['recv', 'send']);
    for (const { dtlsState, srtpCipher } of transports) {
      expect(dtlsState).toBe('connected');
      expect(srtpCipher).toMatch(/AEAD_AES_(128|256)_GCM$/);
    }
  }
});

test('the camera is sent in three sizes', async ({ people }) => {
  const ada = await people.join('Ada', { room: 'study-room-3', picture: HD });
  const grace = await people.join('Grace', { room: 'study-room-3' });
  await grace.expectToSee('Ada');
  const widths = async (): Promise<number[]> => {
    const camera = (await ada.stats()).outbound.find(({ source }) => source === 'camera');
    return (camera?.layers ?? [])
      .filter(({ bytesSent }) => bytesSent > 0)
      .map(({ frameWidth }) => frameWidth);
  };
  await expect.poll(async () => new Set(await widths()).size).toBe(3);
});

test('who comes late sees and hears everybody who was there', async ({ people }) => {
  const ada = await people.join('Ada', { room: 'study-room-4' });
  const grace = await people.join('Grace', { room: 'study-room-4' });
  await ada.expectToSee('Grace');
  const hedy = await people.join('Hedy', { room: 'study-room-4' });
  for (const name of ['Ada', 'Grace']) {
    await hedy.expectToSee(name);
    await hedy.expectToHear(name);
  }
  await ada.expectToSee('Hedy');
  await grace.expectToSee('Hedy');
});

test('a reload leads back to the same seat, and nobody leaves or comes', async ({ people }) => {
  const ada = await people.join('Ada', { room: 'study-room-5' });
  const grace = await people.join('Grace', { room: 'study-room-5' });
  await ada.expectToSee('Grace');
  const before = await ada.tileOf('Grace').getAttribute('data-participant-id');
  await grace.page.reload();
  await expect(grace.tileOf('Grace')).toBeVisible();
  expect(await grace.tileOf('Grace').getAttribute('data-participant-id')).toBe(before);
  await expect(ada.page.locator(`[data-participant-id="${before}"]`)).toHaveCount(1);
  await expect(ada.tiles()).toHaveCount(2);
  await ada.expectToSee('Grace');
  await grace.expectToSee('Ada');
});

test('who closes the window is gone from the others’ rooms', async ({ people }) => {
  const ada = await people.join('Ada', { room: 'study-room-6' });
  const grace = await people.join('Grace', { room: 'study-room-6' });
  const hedy = await people.join('Hedy', { room: 'study-room-6' });
  await ada.expectToSee('Hedy');
  await hedy.page.close();
  await expect(ada.tileOf('Hedy')).toHaveCount(0);
  await expect(grace.tileOf('Hedy')).toHaveCount(0);
  await ada.expectToSee('Grace');
  expect((await ada.stats()).inbound).toHaveLength(2);
});

test('leaving leads to the lobby, where the room is emptier', async ({ people }) => {
  const ada = await people.join('Ada', { room: 'study-room-7' });
  const grace = await people.join('Grace', { room: 'study-room-7' });
  await ada.expectToSee('Grace');
  await grace.press('Leave the room');
  await expect(grace.page.getByRole('heading', { level: 1 })).toHaveText('Study together, quietly.');
  await expect(grace.page.locator('[data-room-id="study-room-7"]')).toContainText('1 of 50');
  await expect(ada.tiles()).toHaveCount(1);
  await ada.press('Leave the room');
  await expect(grace.page.locator('[data-room-id="study-room-7"]')).toContainText('Nobody yet');
});
