/** The real server, started for one test file on ports of its own, and stopped after it. */

import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 10_000;
const WORKERS = 2;

export interface Server {
  url: string;
  /** Stops it as Ctrl-C does; resolves with its exit code. */
  stop: () => Promise<number | null>;
  /** Ends it without a word, as a power cut does. */
  kill: () => Promise<void>;
  /** Starts it again, on the same ports. */
  start: () => Promise<void>;
  /** What it has written so far. */
  log: () => string;
}

function binary(): string {
  const candidates = [
    process.env['STUDYHALL_BIN'],
    `${ROOT}target/debug/studyhall`,
    `${ROOT}target/release/studyhall`,
  ];
  const found = candidates.find((path) => path !== undefined && existsSync(path));
  if (found === undefined) throw new Error('No server to test: build it with `cargo build -p server` first.');
  return found;
}

/** Runs the server with these settings beside the usual ones. */
export async function startServer(settings: Record<string, string> = {}): Promise<Server> {
  const port = await freeTcpPort();
  const rtcPort = await freeUdpPorts(WORKERS);
  const url = `http://localhost:${port}`;
  const data = mkdtempSync(join(tmpdir(), 'studyhall-data-'));
  process.once('exit', () => rmSync(data, { recursive: true, force: true }));
  let child: ChildProcess | undefined;
  let log = '';

  const start = async (): Promise<void> => {
    const running = spawn(binary(), [], {
      // Away from any `.env` of the person who runs the tests.
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      env: {
        PATH: process.env['PATH'],
        PORT: String(port),
        MEDIASOUP_RTC_MIN_PORT: String(rtcPort),
        MEDIASOUP_RTC_MAX_PORT: String(rtcPort + WORKERS - 1),
        STUDYHALL_WORKERS: String(WORKERS),
        STUDYHALL_DATA_DIR: data,
        STUDYHALL_GUESTS_PER_MINUTE: '1000',
        STUDYHALL_LOGINS_PER_MINUTE: '1000',
        RUST_LOG: process.env['RUST_LOG'] ?? 'info',
        ...settings,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = running;
    for (const stream of [running.stdout, running.stderr]) {
      stream.on('data', (data: Buffer) => (log += data.toString()));
    }
    await ready(url, running, () => log);
  };
  const stop = async (): Promise<number | null> => {
    const running = child;
    child = undefined;
    return running === undefined ? null : await end(running);
  };
  const kill = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined) return;
    const ended = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGKILL');
    await ended;
  };

  await start();
  return { url, start, stop, kill, log: () => log };
}

async function ready(url: string, child: ChildProcess, log: () => string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    if (child.exitCode !== null) break;
    const answered = await fetch(`${url}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill('SIGKILL');
  throw new Error(`The server did not start:\n${log()}`);
}

function end(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) {
      resolve(child.exitCode);
      return;
    }
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    child.once('exit', (code) => {
      clearTimeout(kill);
      resolve(code);
    });
    child.kill('SIGTERM');
  });
}

function freeTcpPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** The first of that many free ports in a row. */
async function freeUdpPorts(count: number): Promise<number> {
  for (let first = 20_000 + (process.pid % 20_000); first < 60_000; first += count) {
    const free = await Promise.all(Array.from({ length: count }, (_, index) => isUdpFree(first + index)));
    if (free.every(Boolean)) return first;
  }
  throw new Error('No free UDP ports.');
}

function isUdpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createSocket('udp4');
    probe.once('error', () => resolve(false));
    probe.bind(port, () => probe.close(() => resolve(true)));
  });
}
