/** Debian's Chromium, with devices that are made up: a moving picture and a beep. */

import { networkInterfaces } from 'node:os';

export const CHROMIUM = {
  executablePath: process.env['STUDYHALL_CHROMIUM'] ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    // So that the tests run on a machine without a network too.
    '--allow-loopback-in-peer-connection',
    // Windows behind others work on as if they were in front.
    '--disable-renderer-backgrounding',
    '--disable-background-timer-throttling',
    '--disable-backgrounding-occluded-windows',
  ],
};

/** An IPv4 address of this machine that is not the loopback one: Firefox sends no media to that. */
export function networkAddress(): string | undefined {
  for (const addresses of Object.values(networkInterfaces())) {
    const address = addresses?.find(({ family, internal }) => family === 'IPv4' && !internal);
    if (address !== undefined) return address.address;
  }
  return undefined;
}
