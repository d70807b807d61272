/**
 * The client example of the integration guide, run as it stands with published versions of mediasoup-client that this
 * browser still takes, over both transports of Socket.IO, from a site of its own that the server lets in.
 */

import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

import type { Page } from '@playwright/test';
import { build, type Plugin } from 'vite';

import { expect, expectMovingPicture, test } from './support/fixtures';
import { startServer, type Server } from './support/server';

const FOLDER = fileURLToPath(new URL('seed-client', import.meta.url));

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

async function bundle(library: Library): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    root: FOLDER,
    resolve: { alias: { 'mediasoup-client': library.package } },
    plugins: library.audioFirst ? [audioFirst] : [],
    build: {
      write: false,
      minify: false,
      target: 'es2022',
      rollupOptions: { input: `${FOLDER}/page.js`, output: { format: 'es' } },
    },
  });
  const output = Array.isArray(result) ? result[0] : result;
  if (output === undefined || !('output' in output)) throw new Error('nothing was bundled');
  const chunk = output.output.find((each) => each.type === 'chunk');
  if (chunk === undefined) throw new Error('no script was bundled');
  return chunk.code;
}

const PAGE = '<!doctype html><body><script type="module" src="/page.js"></script></body>';

/** The site that has the example, and what it serves as its script. */
let site: HttpServer;
let script = '';
let origin: string;
let server: Server;

test.beforeAll(async () => {
  site = createServer((request, response) => {
    const isScript = request.url?.startsWith('/page.js') === true;
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : PAGE);
  });
  await new Promise<void>((resolve) => site.listen(0, 'localhost', resolve));
  origin = `http://localhost:${(site.address() as AddressInfo).port}`;
  server = await startServer({ STUDYHALL_ALLOWED_ORIGINS: origin });
});

test.afterAll(async () => {
  await server.stop();
  site.closeAllConnections();
  site.close();
});

for (const library of LIBRARIES) {
  for (const transport of ['websocket', 'polling']) {
    test(`mediasoup-client ${library.version} over ${transport}`, async ({ context }) => {
      script = await bundle(library);
      const room = `study-room-${LIBRARIES.indexOf(library) + 1}`;
      const pages: Page[] = [];
      for (const name of ['Ada', 'Grace']) {
        const page = await context.newPage();
        const errors: Error[] = [];
        page.on('pageerror', (error) => errors.push(error));
        const query = new URLSearchParams({ server: server.url, name, room, transport });
        await page.goto(`${origin}/?${query}`);
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
