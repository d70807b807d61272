/**
 * The client example of the integration guide, run as it stands with published versions of mediasoup-client that this
 * browser still takes, over both transports of Socket.IO, from a site of its own that the server lets in.
 */

import type { Page } from '@playwright/test';
import type { Plugin } from 'vite';

import { expect, expectMovingPicture, test } from './support/fixtures';
import { startServer, type Server } from './support/server';
import { bundle, startSite, type Site } from './support/site';

interface Library {
  /** As installed here. */
  package: string;
  version: string;
  /** Whether the example works in the order in which it is written. */
  audioFirst: boolean;
}

const LIBRARIES: Library[] = [
  { package: 'mediasoup-client', version: '3.24.1', audioFirst: false },
  // The oldest that can produce video before audio here: older ones take it for granted that header extensions have the
  // same numbers with and without audio, and today's Chromium refuses their answer.
  { package: 'mediasoup-client-oldest', version: '3.15.2', audioFirst: false },
  // The first of all, which works when audio is produced before video.
  { package: 'mediasoup-client-first', version: '3.0.0', audioFirst: true },
];

interface Received {
  framesDecoded: number;
  totalAudioEnergy: number;
  version: string;
  transport: string;
}

declare global {
  interface Window {
    received?: () => Promise<Received>;
  }
}

const VIDEO = 'await sendTransport.produce({ track: videoTrack });';
const AUDIO = 'await sendTransport.produce({ track: audioTrack });';

/** Exchanges the two lines of the example that produce. */
const audioFirst: Plugin = {
  name: 'audio-first',
  transform: (code, id) => {
    if (!id.endsWith('example.js')) return undefined;
    if (code.indexOf(VIDEO) > code.indexOf(AUDIO)) throw new Error('the example has changed');
    return code.replace(VIDEO, 'VIDEO').replace(AUDIO, VIDEO).replace('VIDEO', AUDIO);
  },
};

/** The site that has the example. */
let site: Site;
let server: Server;

test.beforeAll(async () => {
  site = await startSite();
  server = await startServer({ STUDYHALL_ALLOWED_ORIGINS: site.origin });
});

test.afterAll(async () => {
  await server.stop();
  site.close();
});

for (const library of LIBRARIES) {
  for (const [index, transport] of ['websocket', 'polling'].entries()) {
    test(`mediasoup-client ${library.version} over ${transport}`, async ({ context }) => {
      site.script = await bundle({
        entry: 'seed-client/page.js',
        alias: { 'mediasoup-client': library.package },
        plugins: library.audioFirst ? [audioFirst] : [],
      });
      // A room of its own: who just goes away keeps the seat for a while.
      const room = `study-room-${LIBRARIES.indexOf(library) * 2 + index + 1}`;
      const pages: Page[] = [];
      for (const name of ['Ada', 'Grace']) {
        const page = await context.newPage();
        const errors: Error[] = [];
        page.on('pageerror', (error) => errors.push(error));
        const query = new URLSearchParams({ server: server.url, name, room, transport });
        await page.goto(`${site.origin}/?${query}`);
        expect(errors).toEqual([]);
        pages.push(page);
      }
      for (const page of pages) {
        const received = (): Promise<Received | undefined> => page.evaluate(() => window.received?.());
        await expect.poll(async () => (await received())?.framesDecoded ?? 0).toBeGreaterThan(20);
        await expect.poll(async () => (await received())?.totalAudioEnergy ?? 0).toBeGreaterThan(0);
        expect(await received()).toMatchObject({ version: library.version, transport });
        await expectMovingPicture(page.locator('video'));
      }
      for (const page of pages) await page.close();
    });
  }
}
