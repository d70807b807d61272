/** Windows of people in rooms, and what can be seen and heard in them. */

import {
  test as base,
  expect,
  type Browser,
  type BrowserContext,
  type Locator,
  type Page,
} from '@playwright/test';

import type { InboundReport, MediaReport } from '../../src/media/report';
import type { RoomSnapshot } from '../../src/session/hook';
import { startServer, type Server } from './server';

export { expect };

interface WorkerFixtures {
  /** Settings of the server beside the usual ones; `test.use({ settings })` in a file. */
  settings: Record<string, string>;
  server: Server;
}

export const test = base.extend<{ people: People }, WorkerFixtures>({
  settings: [{}, { option: true, scope: 'worker' }],
  server: [
    async ({ settings }, use) => {
      const server = await startServer(settings);
      await use(server);
      const code = await server.stop();
      // `null`: the test itself has stopped it.
      if (code !== 0 && code !== null) throw new Error(`The server ended with ${code}:\n${server.log()}`);
    },
    { scope: 'worker' },
  ],
  people: async ({ browser, server }, use, testInfo) => {
    const people = new People(browser, server.url);
    await use(people);
    await people.closeAll();
    if (testInfo.status !== testInfo.expectedStatus) {
      await testInfo.attach('log of the server', { body: server.log(), contentType: 'text/plain' });
    }
  },
});

export interface Arrival {
  room: string;
  /** Runs in the window before any script of the page. */
  before?: (context: BrowserContext) => Promise<unknown>;
  camera?: boolean;
  microphone?: boolean;
  /** What the camera is asked for; a small picture where it does not matter, to spare the processor. */
  picture?: MediaTrackConstraints;
}

/** Opens windows, each with storage of its own, as if on different computers. */
export class People {
  readonly #contexts: BrowserContext[] = [];
  readonly #browser: Browser;
  readonly url: string;

  constructor(browser: Browser, url: string) {
    this.#browser = browser;
    this.url = url;
  }

  /** A window that shows the room's door. */
  async open(arrival: Arrival): Promise<Page> {
    const context = await this.#browser.newContext();
    this.#contexts.push(context);
    const { camera = true, microphone = true } = arrival;
    await context.addInitScript((kept) => {
      if (localStorage.getItem('studyhall') === null) localStorage.setItem('studyhall', kept);
    }, JSON.stringify({ camera, microphone }));
    await context.addInitScript(limitCamera, arrival.picture ?? SMALL);
    await arrival.before?.(context);
    const page = await context.newPage();
    await page.goto(`${this.url}/room/${arrival.room}`);
    return page;
  }

  /** A window that shows another page of ours. */
  async visit(path: string): Promise<Page> {
    const context = await this.#browser.newContext();
    this.#contexts.push(context);
    await context.addInitScript(
      (kept) => {
        if (localStorage.getItem('studyhall') === null) localStorage.setItem('studyhall', kept);
      },
      JSON.stringify({ camera: false, microphone: false }),
    );
    const page = await context.newPage();
    await page.goto(this.url + path);
    return page;
  }

  /** A person with this name who sits in the room. */
  async join(name: string, arrival: Arrival): Promise<Person> {
    const page = await this.open(arrival);
    const person = new Person(page, name);
    await person.enter();
    return person;
  }

  async closeAll(): Promise<void> {
    for (const context of this.#contexts.splice(0)) {
      // Who just goes away keeps the seat for a while, and would be met by the next test.
      await Promise.all(context.pages().map(leave)).catch(() => undefined);
      await context.close();
    }
  }
}

/** What the client itself asks for. */
export const HD: MediaTrackConstraints = { width: 1280, height: 720 };
/** More than that in four windows, and two cores cannot encode and decode it. */
const SMALL: MediaTrackConstraints = { width: 320, height: 180, frameRate: 15 };

/** Runs in the page: every camera that is asked for gives a picture like that. */
function limitCamera(picture: MediaTrackConstraints): void {
  const devices = navigator.mediaDevices;
  const original = devices.getUserMedia.bind(devices);
  devices.getUserMedia = (constraints) =>
    original({ ...constraints, ...(constraints?.video === undefined ? {} : { video: picture }) });
}

/** Gives the seat back, where there is one and it can be told. */
async function leave(page: Page): Promise<void> {
  const button = page.getByRole('button', { name: 'Leave the room' });
  if (!(await button.isVisible())) return;
  await button.click({ timeout: 2_000 });
  // Until it was sent.
  await page.waitForTimeout(150);
}

export class Person {
  readonly page: Page;
  readonly name: string;

  constructor(page: Page, name: string) {
    this.page = page;
    this.name = name;
  }

  async enter(): Promise<void> {
    await this.page.getByLabel('Your name').fill(this.name);
    await this.page.getByRole('button', { name: 'Join room' }).click();
    await expect(this.tileOf(this.name)).toBeVisible();
  }

  tileOf(name: string): Locator {
    return this.page.locator('li[data-participant-id]').filter({ hasText: name });
  }

  videoOf(name: string): Locator {
    return this.tileOf(name).locator('video');
  }

  tiles(): Locator {
    return this.page.locator('li[data-participant-id]');
  }

  press(name: string): Promise<void> {
    return this.page.getByRole('button', { name }).click();
  }

  stats(): Promise<MediaReport> {
    return this.page.evaluate(() => {
      if (window.__studyhall === undefined) throw new Error('the page has no hook');
      return window.__studyhall.stats();
    });
  }

  room(): Promise<RoomSnapshot | undefined> {
    return this.page.evaluate(() => window.__studyhall?.room());
  }

  /** What is received of somebody from one source; fails when there is nothing. */
  async received(name: string, source: string): Promise<InboundReport> {
    const room = await this.room();
    const id = room?.participants.find(({ displayName }) => displayName === name)?.id;
    const { inbound } = await this.stats();
    const found = inbound.find((each) => each.participantId === id && each.source === source);
    if (found === undefined) throw new Error(`${this.name} receives no ${source} of ${name}`);
    return found;
  }

  /** Sees somebody: frames are decoded, go on being decoded, and show something that moves. */
  async expectToSee(name: string): Promise<void> {
    await expect(this.videoOf(name)).toBeVisible();
    await this.expectFramesToRise(name, 'camera');
    await expectMovingPicture(this.videoOf(name));
  }

  async expectFramesToRise(name: string, source: string): Promise<void> {
    const decoded = async (): Promise<number> => {
      const found = await this.received(name, source).catch(() => undefined);
      return found?.framesDecoded ?? 0;
    };
    await expect.poll(decoded, { message: `${this.name} decodes frames of ${name}` }).toBeGreaterThan(0);
    const before = await decoded();
    await expect
      .poll(decoded, { message: `${this.name} goes on decoding ${name}` })
      .toBeGreaterThan(before + 10);
  }

  async expectToHear(name: string): Promise<void> {
    const energy = async (): Promise<number> => {
      const found = await this.received(name, 'mic').catch(() => undefined);
      return found?.totalAudioEnergy ?? 0;
    };
    await expect.poll(energy, { message: `${this.name} hears ${name}` }).toBeGreaterThan(0);
    const before = await energy();
    await expect.poll(energy, { message: `${this.name} goes on hearing ${name}` }).toBeGreaterThan(before);
  }
}

/** Frames that are looked at, and how many of them must differ from each other. */
export const LOOKED_AT = 10;
const MUST_DIFFER = 8;

export interface Shown {
  hash: number;
  brightness: number;
}

/** What is shown is not black, and moves. */
export async function expectMovingPicture(video: Locator): Promise<void> {
  expectMovement(await video.evaluate(nextFrames, LOOKED_AT));
}

/** No frame is black, and hardly one is like another. */
export function expectMovement(frames: readonly Shown[]): void {
  for (const { brightness } of frames) expect(brightness).toBeGreaterThan(10);
  expect(new Set(frames.map(({ hash }) => hash)).size).toBeGreaterThanOrEqual(MUST_DIFFER);
}

/** Runs in the page: draws that many frames when they are shown. */
export async function nextFrames(video: Element, count: number): Promise<Shown[]> {
  const player = video as HTMLVideoElement;
  const canvas = new OffscreenCanvas(160, 90);
  const drawing = canvas.getContext('2d', { willReadFrequently: true });
  if (drawing === null) throw new Error('no canvas');
  const seen: Shown[] = [];
  while (seen.length < count) {
    await new Promise((resolve) => player.requestVideoFrameCallback(resolve));
    drawing.drawImage(player, 0, 0, canvas.width, canvas.height);
    const { data } = drawing.getImageData(0, 0, canvas.width, canvas.height);
    let hash = 2_166_136_261;
    let sum = 0;
    for (let index = 0; index < data.length; index += 4) {
      for (const value of [data[index] ?? 0, data[index + 1] ?? 0, data[index + 2] ?? 0]) {
        hash = Math.imul(hash ^ value, 16_777_619);
        sum += value;
      }
    }
    seen.push({ hash, brightness: sum / (data.length * 0.75) });
  }
  return seen;
}
