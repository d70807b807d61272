/** Links that are thin or lose packets: the kernel limits and loses, between the real server and a browser at a far end. */

import type { Browser, BrowserContext, Locator } from '@playwright/test';

import { CHROMIUM } from './support/browsers';
import { test as base, expect, HD, People, type Person } from './support/fixtures';
import { measured } from './support/measured';
import { Line, whyNoLine } from './support/network';
import {
  keepConnections,
  Notes,
  payloadTypeOf,
  recordedFrames,
  recordFrames,
  soundOf,
  stills,
  type Frame,
  type Sound,
} from './support/recording';

const TOP_WIDTH = 1280;
const TOP_LAYER = 2;
const SAMPLES_PER_SECOND = 48_000;

/** Larger than the middle layer is, and no larger than two cores can draw. */
const WINDOW = { width: 1100, height: 700 };

const test = base.extend<{ farPeople: People }, { line: Line; farBrowser: Browser; farUrl: string }>({
  line: [
    async ({}, use) => {
      const line = new Line();
      await use(line);
      line.close();
    },
    { scope: 'worker' },
  ],
  settings: [
    async ({ line }, use) => {
      await use({ MEDIASOUP_ANNOUNCED_IP: line.address });
    },
    { scope: 'worker' },
  ],
  farUrl: [
    async ({ line, server }, use) => {
      await use(server.url.replace('localhost', line.address));
    },
    { scope: 'worker' },
  ],
  farBrowser: [
    async ({ line, playwright, farUrl }, use) => {
      const browser = await playwright.chromium.launch({
        executablePath: line.programAtFarEnd(CHROMIUM.executablePath),
        // Pages that are not from here get no camera otherwise, and no connections.
        args: [...CHROMIUM.args, `--unsafely-treat-insecure-origin-as-secure=${farUrl}`],
      });
      await use(browser);
      await browser.close();
    },
    { scope: 'worker' },
  ],
  /** Those at the far end of the line. */
  farPeople: async ({ farBrowser, farUrl, line }, use) => {
    const people = new People(farBrowser, farUrl);
    await use(people);
    await people.closeAll();
    line.clear();
  },
});

// The pictures of a trace take the processor from those that are watched.
test.use({ trace: 'off' });

const missing = whyNoLine();
test.skip(missing !== undefined, missing);

interface Watched {
  viewer: Person;
  notes: Notes;
}

/** Ada watches Grace, large; what she sees is recorded once it is the top layer. */
async function watch(publishing: People, watching: People, room: string): Promise<Watched> {
  await publishing.join('Grace', { room, picture: HD });
  const notes = new Notes();
  const before = (context: BrowserContext): Promise<unknown> => {
    notes.listen(context);
    return keepConnections(context);
  };
  const viewer = await watching.join('Ada', { room, camera: false, microphone: false, before });
  await viewer.page.setViewportSize(WINDOW);
  await viewer.expectToSee('Grace');
  await viewer.tileOf('Grace').hover();
  await viewer.press('Pin Grace');
  await recordFrames(pictureOf(viewer));
  await expect.poll(() => lastWidth(viewer)).toBe(TOP_WIDTH);
  return { viewer, notes };
}

function pictureOf({ page }: Person): Locator {
  return page.getByRole('region', { name: 'Seen large' }).locator('video');
}

async function lastWidth({ page }: Person): Promise<number | undefined> {
  return (await recordedFrames(page)).at(-1)?.width;
}

test('a picture follows a link that gets thin, and is large again within 10 s of its widening', async ({
  people,
  farPeople,
  line,
}) => {
  test.setTimeout(120_000);
  line.limit('2mbit');
  const { viewer, notes } = await watch(people, farPeople, 'study-room-1');
  const { page } = viewer;
  const beganMs = Date.now();
  await page.waitForTimeout(6_000);

  const thinMs = Date.now();
  line.limit('400kbit');
  await page.waitForTimeout(14_000);

  const wideMs = Date.now();
  line.limit('2mbit');
  await page.waitForTimeout(14_000);
  const endMs = Date.now();

  const frames = await recordedFrames(page);
  const [links, layers] = [notes.of('bandwidth'), notes.of('consumer-layers')];
  await test.info().attach('what was seen and told', {
    body: JSON.stringify({ beganMs, thinMs, wideMs, endMs, frames, links, layers }),
    contentType: 'application/json',
  });
  const lastSmall = frames.findLast(({ atMs, width }) => atMs >= thinMs && width < TOP_WIDTH);
  measured('top layer again after, s', (((lastSmall?.atMs ?? endMs) - wideMs) / 1_000).toFixed(1));
  const at = (atMs: number, what: string): string => `${((atMs - thinMs) / 1_000).toFixed(1)} s: ${what}`;
  measured(
    'link as told, kbit/s',
    ...links.map(({ atMs, availableOutgoingBitrate, state }) =>
      at(atMs, `${Math.round(availableOutgoingBitrate / 1_000)} ${state}`),
    ),
  );
  measured(
    'layers as told',
    ...layers.map(({ atMs, spatialLayer, temporalLayer }) => at(atMs, `${spatialLayer}/${temporalLayer}`)),
  );

  // The moment of a step: until then the link is known to be another one.
  const momentMs = 2_000;
  expectNoStill(frames, [beganMs, thinMs], 500);
  expectNoStill(frames, [thinMs + momentMs, wideMs], 500);
  expectNoStill(frames, [wideMs + momentMs, endMs], 500);

  expect(widths(frames, beganMs, thinMs), 'before').toEqual([TOP_WIDTH]);
  // It may try a larger one now and then.
  expect(shareOfTop(frames, thinMs + 5_000, wideMs), 'large while it is thin').toBeLessThan(0.2);
  expect(lastSmall, 'a smaller picture after the step down').toBeDefined();
  expect(widths(frames, wideMs + 10_000, endMs), 'from 10 s after the step up on').toEqual([TOP_WIDTH]);
});

test('where every twentieth packet to a viewer is lost, picture and sound go on', async ({
  people,
  farPeople,
  line,
}) => {
  const { viewer } = await watch(people, farPeople, 'study-room-2');
  line.lose('to', 5);
  const beganMs = Date.now();
  const sound = await soundOf(viewer.page);
  await viewer.page.waitForTimeout(15_000);
  const soundNow = await soundOf(viewer.page);
  const frames = await recordedFrames(viewer.page);
  expectNoStill(frames, [beganMs, Date.now()], 1_000);
  expectWhole(sound, soundNow, 0.02);
  expectLost(line, 'to');
});

test('sound of which every fifth packet is lost is repeated, and hardly a word is missing', async ({
  people,
  farPeople,
  line,
}) => {
  const { viewer } = await watch(people, farPeople, 'study-room-3');
  const { page } = viewer;
  const kinds = [await payloadTypeOf(page, 'opus'), await payloadTypeOf(page, 'red')];
  line.count(kinds);
  await page.waitForTimeout(2_000);
  expect(shareOfRepeating(line), 'packets with repeats where nothing is lost').toBeLessThan(0.02);

  line.lose('to', 20);
  // The reports that tell of it are a few seconds apart.
  await page.waitForTimeout(6_000);
  line.count(kinds);
  const sound = await soundOf(page);
  await page.waitForTimeout(10_000);
  const soundNow = await soundOf(page);
  const repeating = shareOfRepeating(line);
  measured('codec as the browser names it', soundNow.codec);
  expectWhole(sound, soundNow, 0.015);
  expectLost(line, 'to');
  // At the least, what was asked for again goes with the next packet.
  expect(repeating, 'packets with repeats where much is lost').toBeGreaterThan(0.1);
});

/** Of the packets of sound, plain ones counted first, then those that carry earlier ones. */
function shareOfRepeating(line: Line): number {
  const [plain = 0, repeating = 0] = line.counted();
  measured('packets of sound, plain and with repeats', plain, repeating);
  return repeating / (plain + repeating);
}

test('what a publisher’s link loses changes nothing for who watches', async ({ people, farPeople, line }) => {
  const { viewer, notes } = await watch(farPeople, people, 'study-room-4');
  line.lose('from', 5);
  const beganMs = Date.now();
  await viewer.page.waitForTimeout(15_000);
  const endMs = Date.now();
  const frames = await recordedFrames(viewer.page);
  expectNoStill(frames, [beganMs, endMs], 1_000);
  expect(widths(frames, beganMs, endMs)).toEqual([TOP_WIDTH]);
  // The way to the top layer was told; and a link is told of where it carries too little. How many of its frames a browser
  // sends is up to its processor.
  const layers = notes.of('consumer-layers');
  expect(layers).not.toEqual([]);
  const smaller = layers.filter(({ atMs, spatialLayer }) => atMs >= beganMs && spatialLayer !== TOP_LAYER);
  expect([...smaller, ...notes.of('bandwidth').filter(({ atMs }) => atMs >= beganMs)]).toEqual([]);
  expectLost(line, 'from');
});

/** Which widths were seen in a span. */
function widths(frames: readonly Frame[], fromMs: number, toMs: number): number[] {
  return [...new Set(frames.filter(({ atMs }) => atMs >= fromMs && atMs < toMs).map(({ width }) => width))];
}

/** How much of a span is in the top layer, of its frames. */
function shareOfTop(frames: readonly Frame[], fromMs: number, toMs: number): number {
  const seen = frames.filter(({ atMs }) => atMs >= fromMs && atMs < toMs);
  return seen.filter(({ width }) => width === TOP_WIDTH).length / seen.length;
}

/** None of the longest stills of a span is longer than that. */
function expectNoStill(frames: readonly Frame[], [fromMs, toMs]: [number, number], longestMs: number): void {
  const found = stills(frames, fromMs, toMs);
  measured('longest stills, ms', ...found.slice(0, 3).map(({ lengthMs }) => Math.round(lengthMs)));
  const tooLong = found.filter(({ lengthMs }) => lengthMs > longestMs);
  expect(tooLong, `stills of a picture between ${fromMs} and ${toMs}`).toEqual([]);
}

/** Sound was played all the time, and no more than this share of it was made up. */
function expectWhole(before: Sound, after: Sound, mostConcealed: number): void {
  const played = after.played - before.played;
  const concealed = (after.concealed - before.concealed) / played;
  measured('sound made up, %', (concealed * 100).toFixed(2));
  expect(played).toBeGreaterThan(SAMPLES_PER_SECOND * 9);
  expect(concealed).toBeLessThan(mostConcealed);
}

/** The line did lose: what was to be shown was shown in spite of it. */
function expectLost(line: Line, direction: 'to' | 'from'): void {
  const lost = line.lost(direction);
  measured('packets lost', lost);
  expect(lost).toBeGreaterThan(30);
}
