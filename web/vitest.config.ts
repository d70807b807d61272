import { defineConfig } from 'vitest/config';

// eslint-disable-next-line no-restricted-syntax -- the tool asks for a default export
export default defineConfig({
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
