import { defineConfig } from '@playwright/test';

import base from '../../playwright.config';

// eslint-disable-next-line no-restricted-syntax -- the tool asks for a default export
export default defineConfig({
  ...base,
  testDir: '.',
  testMatch: 'room.ts',
  outputDir: '../../test-results',
  timeout: 120_000,
});
