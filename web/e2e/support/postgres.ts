/** A PostgreSQL of Debian's packages on a free port, for one test file; nothing of it is kept safe from a loss of power. */

import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const START_TIMEOUT_MS = 60_000;
const VERSIONS = '/usr/lib/postgresql';

export interface Postgres {
  url: string;
  stop: () => Promise<void>;
}

export async function startPostgres(): Promise<Postgres> {
  const directory = mkdtempSync(join(tmpdir(), 'studyhall-postgres-'));
  const data = join(directory, 'data');
  const port = String(await freePort());
  // It refuses to run as root; the package makes a user for it.
  const other = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : {};
  if (other.uid !== undefined) {
    chownSync(directory, other.uid, other.gid);
    chmodSync(directory, 0o755);
  }
  const how = { cwd: directory, stdio: 'ignore', ...other } as const;
  execFileSync(
    find('initdb'),
    ['--auth=trust', '--username=studyhall', '--encoding=UTF8', '--locale=C', '--no-sync', '-D', data],
    how,
  );
  const address = ['-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off'];
  const running = spawn(find('postgres'), ['-D', data, '-k', directory, '-p', port, ...address], how);
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!isReady(port)) {
    if (Date.now() > deadline) throw new Error('PostgreSQL does not start.');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url: `postgres://studyhall@127.0.0.1:${port}/postgres`,
    stop: async () => {
      const ended = new Promise((resolve) => running.once('exit', resolve));
      // Fast: whoever is connected is let go.
      running.kill('SIGINT');
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function idOf(which: '-u' | '-g'): number {
  return Number(execFileSync('id', [which, 'postgres'], { encoding: 'utf8' }));
}

function isReady(port: string): boolean {
  try {
    execFileSync(find('pg_isready'), ['-q', '-h', '127.0.0.1', '-p', port]);
    return true;
  } catch {
    return false;
  }
}

/** Debian keeps most of PostgreSQL's programs off the path. */
function find(program: string): string {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort() : [];
  const found = versions
    .map((version) => join(VERSIONS, version, 'bin', program))
    .filter((path) => existsSync(path));
  return found.at(-1) ?? program;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
