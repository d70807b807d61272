#!/usr/bin/env node
// Checks what we depend on against deny.toml, without the network: licences, banned crates, second versions, sources,
// known vulnerabilities; and the licences of what the web client ships. (cargo-deny reads the same file where the
// network is to be had, and knows of today's advisories and of yanked versions.)
//
//   node scripts/check-deps.mjs                            check
//   node scripts/check-deps.mjs --update ADVISORY_DB DATE  take the advisories about our crates out of a clone of
//                                                          github.com/rustsec/advisory-db, as of DATE

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { takeSnapshot } from './deps/advisories.mjs';
import { builtCrates, checkCrates, checkWebLicences, shippedPaths, uncovered } from './deps/rules.mjs';
import { parseToml } from './deps/toml.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const snapshotPath = join(root, 'scripts/deps/advisories.json');

const read = (path) => readFileSync(join(root, path), 'utf8');

function cargoMetadata() {
  const output = execFileSync('cargo', ['metadata', '--locked', '--format-version', '1'], {
    cwd: root,
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(output);
}

/** What is really built somewhere: the lock file also names what only a feature that nobody asks for would bring. */
function reachable({ name, version }) {
  reachable.names ??= new Set(
    execFileSync(
      'cargo',
      ['tree', '--workspace', '--all-features', '--locked', '--target=all', '--edges=normal,build,dev', '--prefix=none', '--format={p}'],
      { cwd: root, maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' },
    )
      .split('\n')
      .map((line) => line.split(' ').slice(0, 2).join(' ')),
  );
  return reachable.names.has(`${name} v${version}`);
}

/** What ends in the browser: the dependencies, and the framework, whose run time the compiler puts in. */
function shippedRoots({ dependencies = {}, devDependencies = {} }) {
  return [...Object.keys(dependencies), ...(devDependencies.svelte ? ['svelte'] : [])];
}

function licenceOf(path) {
  const manifest = join(root, 'web', path, 'package.json');
  if (!existsSync(manifest)) return undefined;
  const { license, licenses } = JSON.parse(readFileSync(manifest, 'utf8'));
  // Two older forms: an object, and a list of them to choose from.
  if (Array.isArray(licenses)) return licenses.map(({ type }) => type).join(' OR ');
  return license?.type ?? license;
}

function check() {
  const config = parseToml(read('deny.toml'));
  const snapshot = JSON.parse(readFileSync(snapshotPath, 'utf8'));
  const crates = builtCrates(cargoMetadata()).filter(reachable);
  const lock = JSON.parse(read('web/package-lock.json'));
  const roots = shippedRoots(JSON.parse(read('web/package.json')));
  const wrong = [
    ...checkCrates(crates, config, snapshot),
    ...checkWebLicences(lock, roots, licenceOf, config.licenses.allow),
  ];

  const unknown = uncovered(crates, snapshot);
  if (unknown.length > 0) {
    const names = unknown.slice(0, 8).join(', ') + (unknown.length > 8 ? ', …' : '');
    console.log(`The snapshot of advisories says nothing about ${unknown.length} of the crates: ${names}`);
  }
  for (const sentence of wrong) console.error(`✗ ${sentence}`);
  const shipped = shippedPaths(lock, roots).length;
  console.log(
    `${crates.length} crates, ${shipped} npm packages, ${snapshot.advisories.length} advisories as of ${snapshot.date}: ` +
      (wrong.length === 0 ? 'nothing wrong' : `${wrong.length} wrong`),
  );
  process.exitCode = wrong.length === 0 ? 0 : 1;
}

function update(database, date) {
  const names = builtCrates(cargoMetadata()).map(({ name }) => name);
  const snapshot = takeSnapshot(database, names, date);
  writeFileSync(snapshotPath, `${JSON.stringify(snapshot, null, 1)}\n`);
  console.log(`${snapshot.advisories.length} advisories about ${snapshot.covers.length} crates`);
}

const [command, database, date] = process.argv.slice(2);
if (command === undefined) {
  check();
} else if (command === '--update' && database && /^\d{4}-\d\d-\d\d$/.test(date ?? '')) {
  update(database, date);
} else {
  console.error('usage: check-deps.mjs [--update ADVISORY_DB YYYY-MM-DD]');
  process.exitCode = 2;
}
