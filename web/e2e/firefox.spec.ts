/** Firefox and Chromium in one room. */

import type { Browser, Page } from 'puppeteer-core';

import type { MediaReport } from '../src/media/report';
import { networkAddress } from './support/browsers';
import { firefoxLacks, launchFirefox } from './support/firefox';
import { expect, test } from './support/fixtures';

const address = networkAddress();
const missing = firefoxLacks();

// Firefox does not send to 127.0.0.1.
test.use({ settings: address === undefined ? {} : { MEDIASOUP_ANNOUNCED_IP: address } });

let firefox: Browser;

test.beforeAll(async () => {
  test.skip(missing !== undefined, missing);
  firefox = await launchFirefox();
});

test.afterAll(async () => {
  if (missing === undefined) await firefox.close();
});

async function joinWithFirefox(url: string, name: string): Promise<Page> {
  const page = await firefox.newPage();
  await page.goto(url);
  await page.locator('#name').fill(name);
  await page.locator('button[type=submit]').click();
  await page.waitForSelector('li[data-self="true"]');
  return page;
}

function statsOf(page: Page): Promise<MediaReport | undefined> {
  return page.evaluate(() => window.__studyhall?.stats());
}

test('Firefox and Chromium see and hear each other', async ({ people, server }) => {
  const ada = await people.join('Ada', { room: 'study-room-1' });
  const page = await joinWithFirefox(`${server.url}/room/study-room-1`, 'Grace');

  await ada.expectToSee('Grace');
  await ada.expectToHear('Grace');

  const received = async (source: string): Promise<{ frames: number; energy: number }> => {
    const found = (await statsOf(page))?.inbound.find((each) => each.source === source);
    return { frames: found?.framesDecoded ?? 0, energy: found?.totalAudioEnergy ?? 0 };
  };
  await expect.poll(async () => (await received('camera')).frames).toBeGreaterThan(20);
  await expect.poll(async () => (await received('mic')).energy).toBeGreaterThan(0);

  await page.close();
  await expect(ada.tiles()).toHaveCount(1);
});

test('a camera in Firefox goes off and comes back', async ({ people, server }) => {
  const ada = await people.join('Ada', { room: 'study-room-2' });
  const page = await joinWithFirefox(`${server.url}/room/study-room-2`, 'Grace');
  await ada.expectToSee('Grace');
  await page.locator('[aria-label="Turn camera off"]').click();
  await expect(ada.videoOf('Grace')).toHaveCount(0);
  await page.locator('[aria-label="Turn camera on"]').click();
  await ada.expectToSee('Grace');
  await page.close();
});
