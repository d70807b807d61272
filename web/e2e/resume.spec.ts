/** A network that goes away and comes back: nobody leaves, and the picture is there again soon. */

import type { Browser, BrowserContext, WebSocket } from '@playwright/test';

import { CHROMIUM } from './support/browsers';
import { test as base, expect, People, type Person } from './support/fixtures';
import { measured } from './support/measured';
import { Line, whyNoLine } from './support/network';
import { recordedFrames, recordFrames } from './support/recording';

/** From the return of the network to the first new picture, at most. */
const BACK_WITHIN_MS = 3_000;
/** With another address the browser has to find it first; Chromium looks at its network cards some seconds apart. */
const BACK_FROM_ELSEWHERE_WITHIN_MS = 8_000;

const test = base.extend<{ farPeople: People }, { line: Line }>({
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
  farPeople: async ({ line, playwright, server }, use) => {
    const farUrl = server.url.replace('localhost', line.address);
    const browser: Browser = await playwright.chromium.launch({
      executablePath: line.programAtFarEnd(CHROMIUM.executablePath),
      // Pages that are not from here get no camera otherwise, and no connections.
      args: [...CHROMIUM.args, `--unsafely-treat-insecure-origin-as-secure=${farUrl}`],
    });
    const people = new People(browser, farUrl);
    await use(people);
    await people.closeAll();
    await browser.close();
    line.clear();
  },
});

// The pictures of a trace take the processor from those that are watched.
test.use({ trace: 'off' });

const missing = whyNoLine();
test.skip(missing !== undefined, missing);

/** What the server told a window, by name, with what was said of connections. */
class Told {
  readonly names: string[] = [];
  readonly connections: string[] = [];

  listen(context: BrowserContext): Promise<void> {
    context.on('page', (page) => page.on('websocket', (socket) => this.#follow(socket)));
    return Promise.resolve();
  }

  #follow(socket: WebSocket): void {
    socket.on('framereceived', ({ payload }) => {
      const [, name, json] = /^42\/room,\["([a-z-]+)",(.*)\]$/s.exec(payload.toString()) ?? [];
      if (name === undefined || json === undefined) return;
      this.names.push(name);
      if (name !== 'user-updated') return;
      const { connection } = JSON.parse(json) as { connection?: string };
      if (connection !== undefined) this.connections.push(connection);
    });
  }
}

interface Meeting {
  /** At this end. */
  ada: Person;
  told: Told;
  /** At the far end of the line. */
  grace: Person;
  graceId: string | null;
}

async function meet(people: People, farPeople: People, room: string): Promise<Meeting> {
  const told = new Told();
  const ada = await people.join('Ada', { room, before: (context) => told.listen(context) });
  const grace = await farPeople.join('Grace', { room });
  await ada.expectToSee('Grace');
  await grace.expectToSee('Ada');
  await recordFrames(ada.videoOf('Grace'));
  await recordFrames(grace.videoOf('Ada'));
  told.names.splice(0);
  const graceId = await ada.tileOf('Grace').getAttribute('data-participant-id');
  return { ada, told, grace, graceId };
}

/** How long after this moment the first picture was shown. */
async function backAfter({ page }: Person, sinceMs: number): Promise<number> {
  const first = async (): Promise<number | undefined> =>
    (await recordedFrames(page)).find(({ atMs }) => atMs > sinceMs)?.atMs;
  await expect.poll(first, { timeout: 20_000, intervals: [100] }).toBeDefined();
  return ((await first()) ?? Infinity) - sinceMs;
}

async function expectBack(
  meeting: Meeting,
  sinceMs: number,
  what: string,
  withinMs = BACK_WITHIN_MS,
): Promise<void> {
  const { ada, told, grace, graceId } = meeting;
  const [there, here] = [await backAfter(ada, sinceMs), await backAfter(grace, sinceMs)];
  measured(`${what}: picture of who was away again after, ms`, Math.round(there));
  measured(`${what}: picture to who was away again after, ms`, Math.round(here));
  await expect(grace.page.getByTestId('connection')).toHaveText('Connected');
  measured(`${what}: all connections again after, ms`, Date.now() - sinceMs);
  await ada.expectToSee('Grace');
  await grace.expectToSee('Ada');
  await grace.expectToHear('Ada');
  expect(told.names).not.toContain('user-left');
  expect(told.names).not.toContain('user-joined');
  expect(told.names).not.toContain('producer-closed');
  expect(await ada.tileOf('Grace').getAttribute('data-participant-id')).toBe(graceId);
  expect((await grace.room())?.selfId).toBe(graceId);
  expect(there).toBeLessThan(withinMs);
  expect(here).toBeLessThan(withinMs);
}

for (const [index, seconds] of [2, 5, 20].entries()) {
  test(`a network that swallows everything for ${seconds} s costs nobody the seat`, async ({
    people,
    farPeople,
    line,
  }) => {
    test.setTimeout(120_000);
    const meeting = await meet(people, farPeople, `study-room-${index + 4}`);
    line.cut();
    await meeting.ada.page.waitForTimeout(seconds * 1_000);
    // The last picture stays where it was.
    await expect(meeting.ada.videoOf('Grace')).toBeVisible();
    await expect(meeting.grace.videoOf('Ada')).toBeVisible();
    line.mend();
    await expectBack(meeting, Date.now(), `${seconds} s`);
    // Who was away for long was seen to be.
    if (seconds === 20) expect(meeting.told.connections).toContain('lost');
    expect(meeting.told.connections.at(-1)).not.toBe('lost');
  });
}

test('a network that is switched off for 5 s costs nobody the seat', async ({ people, farPeople, line }) => {
  test.setTimeout(120_000);
  const meeting = await meet(people, farPeople, 'study-room-2');
  line.unplug();
  await expect(meeting.grace.page.getByTestId('connection')).toHaveText('Reconnecting…');
  await expect(meeting.grace.videoOf('Ada')).toBeVisible();
  await meeting.ada.page.waitForTimeout(5_000);
  line.plug({ moved: false });
  await expectBack(meeting, Date.now(), 'switched off');
});

test('whoever comes back with another address is on the same seat', async ({ people, farPeople, line }) => {
  test.setTimeout(120_000);
  const meeting = await meet(people, farPeople, 'study-room-3');
  line.unplug();
  await meeting.ada.page.waitForTimeout(2_000);
  line.plug({ moved: true });
  await expectBack(meeting, Date.now(), 'another address', BACK_FROM_ELSEWHERE_WITHIN_MS);
});
