import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

// eslint-disable-next-line no-restricted-syntax -- the tool asks for a default export
export default { preprocess: vitePreprocess() };
