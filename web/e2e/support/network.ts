/**
 * A place at the end of a line that is thin or loses packets: a network namespace, joined to this machine by a pair of
 * virtual cards. The kernel limits and loses, so the browser there is an ordinary one, and so is the server.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A packet waits this long at most before a thin line, as in a home router with a modest buffer. */
const LONGEST_WAIT = '200ms';
/** What passes at once: a few packets, so that the line is thin all the time and not only on average. */
const BURST = '2kb';

/** The card at the far end. */
const FAR_CARD = 'line';

/** From the server to the far end, or back. */
type Direction = 'to' | 'from';
type Purpose = 'loss' | 'count' | 'cut';

/** Why no line can be laid here; `undefined` where it can. */
export function whyNoLine(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may lay a line into a network namespace';
  for (const [program, version] of [
    ['ip', '-V'],
    ['tc', '-V'],
    ['nft', '-v'],
  ] as const) {
    if (spawnSync(program, [version]).status !== 0) return `${program} is not installed`;
  }
  const probe = `studyhall-probe-${process.pid}`;
  const made = spawnSync('ip', ['netns', 'add', probe], { encoding: 'utf8' });
  if (made.status !== 0) return `no network namespace can be made: ${made.stderr.trim()}`;
  run('ip', 'netns', 'del', probe);
  return undefined;
}

export class Line {
  /** Address of this machine at its end of the line. */
  readonly address: string;
  /** Another address of the far end. */
  readonly #other: string;
  readonly #far: string;
  readonly #card: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'studyhall-line-'));
  readonly #close = (): void => this.close();

  constructor() {
    const { pid } = process;
    this.#far = `studyhall-${pid}`;
    // At most 15 characters.
    this.#card = `study${pid}`;
    // Four addresses of the network for measurements (RFC 2544) that no other process has.
    const net = (pid % 16_384) * 4;
    const address = (host: number): string => `198.18.${(net + host) >> 8}.${(net + host) & 255}`;
    this.address = address(1);
    this.#other = address(2).replace('198.18.', '198.19.');
    // For a process that ends before its fixtures do.
    process.once('exit', this.#close);
    try {
      run('ip', 'netns', 'add', this.#far);
      run('ip', 'link', 'add', this.#card, 'type', 'veth', 'peer', 'name', FAR_CARD, 'netns', this.#far);
      // What the server hands over in one piece is lost packet by packet, as on a real line.
      run('ip', 'link', 'set', this.#card, 'gso_max_segs', '1');
      run('ip', 'address', 'add', `${this.address}/30`, 'dev', this.#card);
      run('ip', 'link', 'set', this.#card, 'up');
      run('ip', '-n', this.#far, 'address', 'add', `${address(2)}/30`, 'dev', FAR_CARD);
      run('ip', '-n', this.#far, 'link', 'set', FAR_CARD, 'up');
      run('ip', '-n', this.#far, 'link', 'set', 'lo', 'up');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Lets so much pass from the server to the far end, as `tc` writes rates: `2mbit`. */
  limit(rate: string): void {
    const bucket = ['tbf', 'rate', rate, 'burst', BURST, 'latency', LONGEST_WAIT];
    run('tc', 'qdisc', 'replace', 'dev', this.#card, 'root', ...bucket);
  }

  /**
   * Loses so many of a hundred UDP packets, at most 99, on the way to or from the far end; signalling is TCP and stays. They are lost
   * where they arrive: where they are sent, the sender would be told.
   */
  lose(direction: Direction, percent: number): void {
    const card = direction === 'to' ? FAR_CARD : this.#card;
    this.#chain(direction, 'loss', 0, [
      `iifname "${card}" meta l4proto udp numgen random mod 100 < ${percent} counter drop`,
    ]);
  }

  /** How many packets were lost on that way. */
  lost(direction: Direction): number {
    return this.#counters(direction, 'loss')[0] ?? 0;
  }

  /** Begins to count what comes to the far end under these RTP payload types, with what is lost there. */
  count(payloadTypes: readonly number[]): void {
    // Behind the 64 bits of UDP: a byte, the marker bit, and the payload type in seven.
    const rules = payloadTypes.map((type) => `meta l4proto udp @th,73,7 ${type} counter`);
    this.#chain('to', 'count', -10, rules);
  }

  /** Packets that have come under each of them. */
  counted(): number[] {
    return this.#counters('to', 'count');
  }

  /** Nothing passes any more, and nobody is told. */
  cut(): void {
    this.#chain('to', 'cut', -20, [`iifname "${FAR_CARD}" drop`]);
    this.#chain('from', 'cut', -20, [`iifname "${this.#card}" drop`]);
  }

  /** Everything passes again. */
  mend(): void {
    for (const direction of ['to', 'from'] as const) {
      this.#nft(direction, `delete table inet ${this.#table('cut')}\n`);
    }
  }

  /** As when the network is switched off at the far end: programs there are told. */
  unplug(): void {
    run('ip', '-n', this.#far, 'link', 'set', FAR_CARD, 'down');
  }

  /** Switched on again; with `moved`, the far end has another address than before. */
  plug({ moved }: { moved: boolean }): void {
    if (moved) {
      run('ip', '-n', this.#far, 'address', 'flush', 'dev', FAR_CARD);
      run('ip', '-n', this.#far, 'address', 'add', `${this.#other}/32`, 'dev', FAR_CARD);
    }
    run('ip', '-n', this.#far, 'link', 'set', FAR_CARD, 'up');
    if (!moved) return;
    run('ip', '-n', this.#far, 'route', 'replace', `${this.address}/32`, 'dev', FAR_CARD, 'src', this.#other);
    run('ip', 'route', 'replace', `${this.#other}/32`, 'dev', this.#card);
  }

  /** A line without limit or loss. */
  clear(): void {
    spawnSync('nft', ['delete', 'table', 'inet', this.#table('cut')]);
    spawnSync('tc', ['qdisc', 'delete', 'dev', this.#card, 'root']);
    spawnSync('nft', ['delete', 'table', 'inet', this.#table('loss')]);
    spawnSync('ip', ['netns', 'exec', this.#far, 'nft', 'flush', 'ruleset']);
  }

  #table(purpose: Purpose): string {
    return `${this.#card}-${purpose}`;
  }

  /** Rules for what arrives at one end, instead of those that were there for the purpose. */
  #chain(direction: Direction, purpose: Purpose, priority: number, rules: readonly string[]): void {
    const table = `table inet ${this.#table(purpose)}`;
    const chain = [`type filter hook input priority ${priority}`, ...rules].join('\n');
    this.#nft(direction, `${table}\n delete ${table}\n ${table} {\n chain arriving {\n ${chain}\n }\n }\n`);
  }

  /** One for each rule, in their order. */
  #counters(direction: Direction, purpose: Purpose): number[] {
    const listed = this.#nft(direction, `list table inet ${this.#table(purpose)}\n`);
    const found = listed.matchAll(/counter packets (\d+)/g);
    return [...found].map(([, packets]) => Number(packets));
  }

  #nft(direction: Direction, commands: string): string {
    const options = { input: commands, encoding: 'utf8' } as const;
    if (direction === 'from') return execFileSync('nft', ['-f', '-'], options);
    return execFileSync('ip', ['netns', 'exec', this.#far, 'nft', '-f', '-'], options);
  }

  /** A program that runs another one at the far end, with the same arguments. */
  programAtFarEnd(executablePath: string): string {
    const path = join(this.#folder, 'far');
    writeFileSync(path, `#!/bin/sh\nexec ip netns exec ${this.#far} "${executablePath}" "$@"\n`, {
      mode: 0o755,
    });
    return path;
  }

  /** Leaves nothing behind, however far it came. */
  close(): void {
    process.off('exit', this.#close);
    this.clear();
    // By itself: the namespace lives on until its last process has ended.
    spawnSync('ip', ['link', 'delete', this.#card]);
    spawnSync('ip', ['netns', 'delete', this.#far]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
