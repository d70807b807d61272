/** Debian's Firefox, driven over WebDriver BiDi, which needs nothing beside it. */

import { existsSync } from 'node:fs';

import puppeteer, { type Browser } from 'puppeteer-core';

import { networkAddress } from './browsers';

const CANDIDATES = [process.env['STUDYHALL_FIREFOX'], '/usr/bin/firefox-esr', '/usr/bin/firefox'];
const executablePath = CANDIDATES.find((path) => path !== undefined && existsSync(path));

/** Why there is nothing to test with Firefox here; `undefined` where there is. */
export function firefoxLacks(): string | undefined {
  if (executablePath === undefined) return 'Firefox is not installed';
  if (networkAddress() !== undefined) return undefined;
  return 'this machine has no network address, and Firefox sends no media to the loopback one';
}

export function launchFirefox(): Promise<Browser> {
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: executablePath ?? '',
    headless: true,
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'media.autoplay.default': 0,
      'media.gmp-manager.updateEnabled': false,
      'network.captive-portal-service.enabled': false,
      'network.connectivity-service.enabled': false,
      'browser.safebrowsing.downloads.remote.enabled': false,
      'datareporting.policy.dataSubmissionEnabled': false,
      'app.update.auto': false,
    },
  });
}
