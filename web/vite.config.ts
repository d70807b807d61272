import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

/** Where `npm run dev` finds a running server. */
const server = process.env['STUDYHALL_URL'] ?? 'http://localhost:8100';

// eslint-disable-next-line no-restricted-syntax -- the tool asks for a default export
export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'es2022',
    // The server's content security policy allows no inline code, and no data: address but for pictures.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      '/api': server,
      '/socket.io': { target: server, ws: true },
    },
  },
});
