/** What is not on the screen is not sent, what is comes in the size it is shown in, and nobody encodes what nobody sees. */

import { expect, HD, test, type Person } from './support/fixtures';
import { measured } from './support/measured';

/** As if the window went behind another, or came back. */
function setHidden(person: Person, hidden: boolean): Promise<void> {
  return person.page.evaluate((isHidden) => {
    Object.defineProperty(document, 'visibilityState', {
      configurable: true,
      get: () => (isHidden ? 'hidden' : 'visible'),
    });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
}

/** Which sizes are encoded, smallest first. */
async function encoded(person: Person): Promise<boolean[]> {
  const camera = (await person.stats()).outbound.find(({ source }) => source === 'camera');
  const layers = (camera?.layers ?? []).toSorted((a, b) => (a.rid < b.rid ? -1 : 1));
  return layers.map(({ active }) => active);
}

test('a picture comes in the size it is shown in', async ({ people }) => {
  // Who asks the one fake camera first decides about its size.
  const grace = await people.join('Grace', { room: 'study-room-1', picture: HD });
  const ada = await people.join('Ada', { room: 'study-room-1' });
  await ada.expectToSee('Grace');
  const width = async (): Promise<number> => (await ada.received('Grace', 'camera')).frameWidth;
  await ada.page.setViewportSize({ width: 1600, height: 900 });
  await ada.tileOf('Grace').hover();
  await ada.press('Pin Grace');
  await expect.poll(width).toBe(1280);
  await ada.tileOf('Grace').hover();
  await ada.press('Unpin Grace');
  await ada.page.setViewportSize({ width: 360, height: 560 });
  await expect.poll(width).toBeLessThanOrEqual(640);
  await ada.expectToSee('Grace');
  expect((await ada.received('Grace', 'camera')).freezeCount).toBeLessThanOrEqual(1);
  await grace.expectToSee('Ada');
});

test('a hidden window is sent no pictures, and its publisher stops encoding what nobody sees', async ({
  people,
}) => {
  const grace = await people.join('Grace', { room: 'study-room-2', picture: HD });
  const ada = await people.join('Ada', { room: 'study-room-2' });
  await ada.expectToSee('Grace');
  await setHidden(ada, true);
  const bytes = async (): Promise<number> => (await ada.received('Grace', 'camera')).bytesReceived;
  await expect
    .poll(async () => {
      const before = await bytes();
      await ada.page.waitForTimeout(500);
      return (await bytes()) - before;
    })
    .toBe(0);
  await expect.poll(() => encoded(grace)).toEqual([true, false, false]);
  // Sound goes on.
  await ada.expectToHear('Grace');
  await setHidden(ada, false);
  await ada.expectToSee('Grace');
  await expect.poll(async () => (await encoded(grace)).filter(Boolean).length).toBeGreaterThan(1);
});

test('tiles that are shown again have a picture at once', async ({ people }) => {
  await people.join('Grace', { room: 'study-room-3' });
  const ada = await people.join('Ada', { room: 'study-room-3' });
  await ada.expectToSee('Grace');
  const waited: number[] = [];
  for (let turn = 0; turn < 15; turn += 1) {
    await setHidden(ada, true);
    await ada.page.waitForTimeout(700 + turn * 90);
    const next = ada.tileOf('Grace').locator('video').evaluate(untilNextFrame);
    await setHidden(ada, false);
    waited.push(await next);
  }
  waited.sort((a, b) => a - b);
  measured('first frame of a tile after, ms, median and longest', waited[7] ?? 0, waited.at(-1) ?? 0);
  expect(waited).toHaveLength(15);
});

/** Milliseconds until a picture draws its next frame. */
function untilNextFrame(video: Element): Promise<number> {
  const beganMs = performance.now();
  return new Promise((resolve) => {
    (video as HTMLVideoElement).requestVideoFrameCallback((nowMs) => {
      resolve(Math.round(nowMs - beganMs));
    });
  });
}
