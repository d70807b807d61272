/** Pages that meet in a room of their own, in one browser or in two. */

import { test as base } from '@playwright/test';
import type { Browser as Firefox } from 'puppeteer-core';

import { networkAddress } from '../support/browsers';
import { firefoxLacks, launchFirefox } from '../support/firefox';
import { LOOKED_AT, nextFrames, type Shown } from '../support/fixtures';
import { startServer, type Server } from '../support/server';
import { bundle, startSite, type Site } from '../support/site';
import type { Peer } from './page';

/** A page, whatever drives its browser. */
export interface Window {
  browser: 'chromium' | 'firefox';
  ask: <N extends keyof Peer>(
    name: N,
    ...values: Parameters<Peer[N]>
  ) => Promise<Awaited<ReturnType<Peer[N]>>>;
  /** Frames of what it watches. */
  look: () => Promise<Shown[]>;
}

export interface Meeting {
  /** Opens a window, and joins under that name. */
  inChromium: (name: string) => Promise<Window>;
  inFirefox: (name: string) => Promise<Window>;
}

/** What the tests of a file share. */
interface House {
  site: Site;
  server: Server;
  /** One that nobody was in. */
  nextRoom: () => string;
  /** Started when it is first needed. */
  firefox: () => Promise<Firefox>;
}

const ROOMS = 100;

export const test = base.extend<{ meeting: Meeting }, { house: House }>({
  house: [
    async ({}, use) => {
      const site = await startSite();
      site.script = await bundle({ entry: 'codecs/page.ts' });
      // Firefox does not send to 127.0.0.1.
      const address = networkAddress();
      const server = await startServer({
        STUDYHALL_ALLOWED_ORIGINS: site.origin,
        STUDYHALL_ROOMS: String(ROOMS),
        ...(address === undefined ? {} : { MEDIASOUP_ANNOUNCED_IP: address }),
      });
      let rooms = 0;
      let firefox: Promise<Firefox> | undefined;
      await use({
        site,
        server,
        nextRoom: () => `study-room-${(rooms += 1)}`,
        firefox: () => (firefox ??= launchFirefox()),
      });
      await (await firefox)?.close();
      const code = await server.stop();
      site.close();
      if (code !== 0) throw new Error(`The server ended with ${code}:\n${server.log()}`);
    },
    { scope: 'worker' },
  ],
  meeting: async ({ context, house }, use, testInfo) => {
    const { site, server } = house;
    const room = house.nextRoom();
    const addressOf = (name: string): string =>
      `${site.origin}/?${new URLSearchParams({ server: server.url, name, room })}`;
    const inChromium = async (name: string): Promise<Window> => {
      const page = await context.newPage();
      await page.goto(addressOf(name));
      await page.waitForFunction(isReady);
      return {
        browser: 'chromium',
        ask: (asked, ...values) => page.evaluate(call, { name: asked, values }) as never,
        look: () => page.locator('video').evaluate(nextFrames, LOOKED_AT),
      };
    };
    const opened: { close: () => Promise<void> }[] = [];
    const inFirefox = async (name: string): Promise<Window> => {
      const lack = firefoxLacks();
      testInfo.skip(lack !== undefined, lack);
      const page = await (await house.firefox()).newPage();
      opened.push(page);
      await page.goto(addressOf(name));
      await page.waitForFunction(isReady);
      return {
        browser: 'firefox',
        ask: (asked, ...values) => page.evaluate(call, { name: asked, values }) as never,
        look: () => page.$eval('video', nextFrames, LOOKED_AT),
      };
    };
    await use({ inChromium, inFirefox });
    for (const page of opened) await page.close();
    if (testInfo.status !== testInfo.expectedStatus) {
      await testInfo.attach('log of the server', { body: server.log(), contentType: 'text/plain' });
    }
  },
});

/** Runs in the page. */
function isReady(): boolean {
  return window.peer !== undefined;
}

/** Runs in the page. */
function call({ name, values }: { name: keyof Peer; values: unknown[] }): unknown {
  const peer = window.peer as Record<keyof Peer, (...values: unknown[]) => unknown> | undefined;
  if (peer === undefined) throw new Error('the page is not ready');
  return peer[name](...values);
}
