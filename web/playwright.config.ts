import { defineConfig } from '@playwright/test';

import { CHROMIUM } from './e2e/support/browsers';

// eslint-disable-next-line no-restricted-syntax -- the tool asks for a default export
export default defineConfig({
  testDir: 'e2e',
  testMatch: '*.spec.ts',
  outputDir: 'test-results',
  // Media in real time: two test files at once would take the processor from each other.
  workers: 1,
  fullyParallel: false,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  retries: 0,
  forbidOnly: process.env['CI'] !== undefined,
  reporter: [['list']],
  use: {
    browserName: 'chromium',
    launchOptions: CHROMIUM,
    viewport: { width: 960, height: 600 },
    trace: 'retain-on-failure',
  },
});
