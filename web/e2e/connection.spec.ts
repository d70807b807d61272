/** Connections that are poor, blocked, lost or refused. */

import type { BrowserContext } from '@playwright/test';

import { expect, test } from './support/fixtures';
import { measured } from './support/measured';

test('everything works over polling alone', async ({ people }) => {
  // As behind a proxy that refuses to upgrade.
  const before = (context: BrowserContext): Promise<unknown> =>
    context.addInitScript(() => {
      Object.defineProperty(window, 'WebSocket', { value: undefined });
    });
  const requests: string[] = [];
  const ada = await people.join('Ada', { room: 'study-room-1', before });
  ada.page.on('request', (request) => requests.push(request.url()));
  const grace = await people.join('Grace', { room: 'study-room-1', before });
  await ada.expectToSee('Grace');
  await ada.expectToHear('Grace');
  await grace.expectToSee('Ada');
  await grace.press('Turn camera off');
  await expect(ada.videoOf('Grace')).toHaveCount(0);
  expect(requests.some((url) => url.includes('transport=polling'))).toBe(true);
  expect(requests.some((url) => url.includes('transport=websocket'))).toBe(false);
  // Nobody waits for who went to another page, though no connection tells of it.
  await grace.page.goto('about:blank');
  await expect(ada.tiles()).toHaveCount(1, { timeout: 5_000 });
});

test('a room that does not exist is a sentence', async ({ people }) => {
  const page = await people.open({ room: 'no-such-room' });
  await page.getByLabel('Your name').fill('Ada');
  await page.getByRole('button', { name: 'Join room' }).click();
  await expect(page.getByRole('alert')).toContainText(/[a-z].*\./);
  await expect(page.getByRole('alert')).not.toContainText('ROOM_NOT_FOUND');
  await page.getByRole('button', { name: 'All rooms' }).click();
  await expect(page.getByRole('list', { name: 'Rooms' }).getByRole('listitem')).toHaveCount(10);
});

test('an address that leads nowhere says so', async ({ page, server }) => {
  await page.goto(`${server.url}/nowhere`);
  await expect(page.getByRole('heading')).toHaveText('There is no such page.');
  await page.getByRole('button', { name: 'See all rooms' }).click();
  await expect(page).toHaveURL(`${server.url}/`);
});

test('the lobby follows who comes and goes', async ({ people, page, server }) => {
  await page.goto(server.url);
  const card = page.locator('[data-room-id="study-room-2"]');
  await expect(card).toContainText('Nobody yet');
  const ada = await people.join('Ada', { room: 'study-room-2', camera: false, microphone: false });
  await expect(card).toContainText('1 of 50');
  await ada.page.close();
  await expect(card).toContainText('Nobody yet');
});

test('nothing is loaded from elsewhere', async ({ people }) => {
  const hosts = new Set<string>();
  const page = await people.open({
    room: 'study-room-3',
    before: (context) => {
      context.on('request', (request) => hosts.add(new URL(request.url()).host));
      return Promise.resolve();
    },
  });
  await page.getByLabel('Your name').fill('Ada');
  await page.getByRole('button', { name: 'Join room' }).click();
  await expect(page.locator('li[data-participant-id]')).toHaveCount(1);
  expect([...hosts]).toEqual([new URL(people.url).host]);
});

for (const [how, room] of [
  ['restarted', 'study-room-5'],
  ['killed and started again', 'study-room-6'],
] as const) {
  test(`after the server was ${how} everybody is back by themselves`, async ({ people, server }) => {
    const ada = await people.join('Ada', { room });
    const grace = await people.join('Grace', { room });
    await ada.expectToSee('Grace');
    const endedMs = Date.now();
    if (how === 'restarted') expect(await server.stop()).toBe(0);
    else await server.kill();
    await expect(ada.page.getByTestId('connection')).toHaveText('Reconnecting…');
    // The last picture stays as long as nothing newer is known.
    await expect(ada.tileOf('Grace')).toBeVisible();
    await server.start();
    await expect(ada.tiles()).toHaveCount(2);
    await expect(ada.page.getByTestId('connection')).toHaveText('Connected');
    await ada.expectFramesToRise('Grace', 'camera');
    await grace.expectFramesToRise('Ada', 'camera');
    const backMs = Date.now() - endedMs;
    measured(`pictures again after the server was ${how}, ms`, backMs);
    expect(backMs).toBeLessThan(8_000);
    await ada.expectToSee('Grace');
    await grace.expectToSee('Ada');
  });
}
