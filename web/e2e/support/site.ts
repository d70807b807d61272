/** A site of its own that serves one page with one script: pages that use the server as other people's would. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

import { build, type Plugin } from 'vite';

const E2E = fileURLToPath(new URL('..', import.meta.url));
const PAGE = '<!doctype html><body><script type="module" src="/page.js"></script></body>';

export interface Bundle {
  /** The script to begin with, as seen from the folder of the tests. */
  entry: string;
  /** Packages to take in place of others. */
  alias?: Record<string, string>;
  plugins?: Plugin[];
}

/** One script of a page's own code and of the packages that it imports. */
export async function bundle({ entry, alias = {}, plugins = [] }: Bundle): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    root: E2E,
    resolve: { alias },
    plugins,
    build: {
      write: false,
      minify: false,
      target: 'es2022',
      rollupOptions: { input: `${E2E}/${entry}`, output: { format: 'es' } },
    },
  });
  const output = Array.isArray(result) ? result[0] : result;
  if (output === undefined || !('output' in output)) throw new Error('nothing was bundled');
  const chunk = output.output.find((each) => each.type === 'chunk');
  if (chunk === undefined) throw new Error('no script was bundled');
  return chunk.code;
}

export interface Site {
  origin: string;
  /** What its page runs. */
  script: string;
  close: () => void;
}

export async function startSite(): Promise<Site> {
  const listener = createServer((request, response) => {
    const isScript = request.url?.startsWith('/page.js') === true;
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? site.script : PAGE);
  });
  await new Promise<void>((resolve) => listener.listen(0, 'localhost', resolve));
  const site: Site = {
    origin: `http://localhost:${(listener.address() as AddressInfo).port}`,
    script: '',
    close: () => {
      listener.closeAllConnections();
      listener.close();
    },
  };
  return site;
}
