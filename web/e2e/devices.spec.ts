/** Camera, microphone and screen: on, off, missing, refused, shared. */

import type { BrowserContext } from '@playwright/test';

import { expect, expectMovingPicture, HD, test, type Person } from './support/fixtures';

/** Takes devices away before the page can ask for them. */
const without =
  (...kinds: ('video' | 'audio')[]) =>
  (context: BrowserContext): Promise<unknown> =>
    context.addInitScript((missing) => {
      const devices = navigator.mediaDevices;
      const original = devices.getUserMedia.bind(devices);
      devices.getUserMedia = (constraints) =>
        missing.some((kind) => constraints?.[kind] !== undefined)
          ? Promise.reject(new DOMException('Requested device not found', 'NotFoundError'))
          : original(constraints);
    }, kinds);

async function micIsShownOff(viewer: Person, name: string): Promise<void> {
  await expect(viewer.tileOf(name)).toHaveAccessibleName(new RegExp(`^${name}.*, microphone off`));
}

test('a camera goes off and comes back', async ({ people }) => {
  const ada = await people.join('Ada', { room: 'study-room-1' });
  const grace = await people.join('Grace', { room: 'study-room-1' });
  await ada.expectToSee('Grace');

  await grace.press('Turn camera off');
  await expect(ada.videoOf('Grace')).toHaveCount(0);
  await expect(ada.tileOf('Grace')).toHaveAccessibleName('Grace, microphone on, camera off');
  await ada.expectToHear('Grace');

  await grace.press('Turn camera on');
  await ada.expectToSee('Grace');
});

test('a microphone goes off and comes back', async ({ people }) => {
  const ada = await people.join('Ada', { room: 'study-room-2' });
  const grace = await people.join('Grace', { room: 'study-room-2' });
  await ada.expectToHear('Grace');
  await grace.page.keyboard.press('Control+d');
  await micIsShownOff(ada, 'Grace');
  await grace.page.keyboard.press('Control+d');
  await expect(ada.tileOf('Grace')).toHaveAccessibleName(/microphone on/);
  await ada.expectToHear('Grace');
});

test('who comes with everything off can turn it on later', async ({ people }) => {
  const ada = await people.join('Ada', { room: 'study-room-3', camera: false, microphone: false });
  const grace = await people.join('Grace', { room: 'study-room-3' });
  await ada.expectToSee('Grace');
  await ada.expectToHear('Grace');
  await expect(grace.tileOf('Ada')).toHaveAccessibleName('Ada, microphone off, camera off');
  await ada.press('Turn camera on');
  await ada.press('Turn microphone on');
  await grace.expectToSee('Ada');
  await grace.expectToHear('Ada');
});

test('a shared screen arrives, takes the large place, and goes', async ({ people }) => {
  const ada = await people.join('Ada', { room: 'study-room-4' });
  const grace = await people.join('Grace', { room: 'study-room-4' });
  await ada.expectToSee('Grace');

  await grace.press('Share your screen');
  const screen = ada.page.getByRole('region', { name: 'Shared screens' }).locator('video');
  await expect(screen).toBeVisible();
  await expect(ada.page.getByText('Grace’s screen', { exact: true })).toBeVisible();
  await ada.expectFramesToRise('Grace', 'screen');
  await expectMovingPicture(screen);
  const [large, small] = await Promise.all([screen.boundingBox(), ada.tileOf('Grace').boundingBox()]);
  expect((large?.width ?? 0) * (large?.height ?? 0)).toBeGreaterThan(
    4 * (small?.width ?? 0) * (small?.height ?? 0),
  );
  await ada.expectToSee('Grace');

  await grace.page.getByRole('button', { name: 'Stop sharing your screen' }).click();
  await expect(screen).toHaveCount(0);
});

test('who comes late sees the screen that is shared already', async ({ people }) => {
  const ada = await people.join('Ada', { room: 'study-room-5' });
  await ada.press('Share your screen');
  const grace = await people.join('Grace', { room: 'study-room-5' });
  await grace.expectFramesToRise('Ada', 'screen');
});

test('a missing camera is told plainly, and does not keep anybody out', async ({ people }) => {
  const grace = await people.join('Grace', { room: 'study-room-6' });
  const page = await people.open({ room: 'study-room-6', before: without('video') });
  await expect(page.getByText('No camera was found. You can join without it.')).toBeVisible();
  await page.getByLabel('Your name').fill('Ada');
  await page.getByRole('button', { name: 'Join room' }).click();
  await expect(page.locator('li[data-participant-id]')).toHaveCount(2);
  await grace.expectToHear('Ada');
  await expect(grace.tileOf('Ada')).toHaveAccessibleName('Ada, microphone on, camera off');
});

test('a refused camera is told plainly, with what to do', async ({ people }) => {
  const refused = (context: BrowserContext): Promise<unknown> =>
    context.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () =>
        Promise.reject(new DOMException('Permission denied', 'NotAllowedError'));
    });
  const page = await people.open({ room: 'study-room-9', before: refused });
  await expect(page.getByText(/camera.*(blocked|allow)/i).first()).toBeVisible();
  await page.getByLabel('Your name').fill('Ada');
  await page.getByRole('button', { name: 'Join room' }).click();
  await expect(page.locator('li[data-participant-id]')).toHaveCount(1);
});

test('without any device one can still see and hear', async ({ people }) => {
  await people.join('Grace', { room: 'study-room-7' });
  const ada = await people.join('Ada', { room: 'study-room-7', before: without('video', 'audio') });
  await ada.expectToSee('Grace');
  await ada.expectToHear('Grace');
});

test('the preview shows the own picture, mirrored, and the level of the microphone', async ({ people }) => {
  const page = await people.open({ room: 'study-room-8', picture: HD });
  const preview = page.getByTestId('preview');
  await expect(preview).toBeVisible();
  await expectMovingPicture(preview);
  expect(await preview.evaluate((element) => getComputedStyle(element).transform)).toBe(
    'matrix(-1, 0, 0, 1, 0, 0)',
  );
  const level = page.getByRole('meter', { name: 'Microphone level' });
  await expect.poll(async () => Number(await level.getAttribute('aria-valuenow'))).toBeGreaterThan(20);
});

test('a name is needed, and remembered', async ({ people }) => {
  const page = await people.open({ room: 'study-room-9' });
  await page.getByRole('button', { name: 'Join room' }).click();
  await expect(page.getByText('Enter a name')).toBeVisible();
  await page.getByLabel('Your name').fill("Conan O'Brien");
  await page.getByLabel('Your name').press('Enter');
  await expect(page.locator('li[data-participant-id]')).toContainText("Conan O'Brien (you)");
  await page.getByRole('button', { name: 'Leave the room' }).click();
  await page.locator('[data-room-id="study-room-10"]').click();
  await expect(page.getByLabel('Your name')).toHaveValue("Conan O'Brien");
  await expect(page).toHaveURL(/\/room\/study-room-10$/);
});
