#!/usr/bin/env node
// Checks the walls between the crates that no compiler sees: who may depend on whom, what must not come near the
// media engine, and that `unsafe` stands in one crate only.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { checkEdges, checkLints, checkTree, unsafeLines } from './deps/walls.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

function cargo(...parameters) {
  const stdio = ['ignore', 'pipe', 'inherit'];
  return execFileSync('cargo', parameters, { cwd: root, maxBuffer: 1 << 28, encoding: 'utf8', stdio });
}

function* rustFiles(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== 'target') yield* rustFiles(path);
    else if (entry.name.endsWith('.rs')) yield path;
  }
}

function unsafeOutsideNet(crates) {
  const folders = [...crates.map(({ manifest_path }) => dirname(manifest_path)), join(root, 'fuzz')];
  return folders
    .filter((folder) => existsSync(folder) && folder !== join(root, 'crates/net'))
    .flatMap((folder) => [...rustFiles(folder)])
    .flatMap((path) => unsafeLines(readFileSync(path, 'utf8')).map((line) => `${relative(root, path)}:${line}: unsafe stands in crates/net only`));
}

const metadata = JSON.parse(cargo('metadata', '--locked', '--no-deps', '--format-version', '1'));
const manifests = metadata.packages.map(({ name, manifest_path }) => ({ name, text: readFileSync(manifest_path, 'utf8') }));
const wrong = [
  ...checkEdges(metadata.packages),
  ...checkTree('sfu-core', cargo('tree', '--locked', '--package', 'sfu-core', '--edges', 'normal', '--prefix', 'none')),
  ...checkTree('wire', cargo('tree', '--locked', '--package', 'wire', '--edges', 'normal', '--prefix', 'none')),
  ...checkLints(readFileSync(join(root, 'Cargo.toml'), 'utf8'), manifests),
  ...unsafeOutsideNet(metadata.packages),
];
for (const sentence of wrong) console.error(`✗ ${sentence}`);
console.log(`${metadata.packages.length} crates: ${wrong.length === 0 ? 'every wall stands' : `${wrong.length} breaches`}`);
process.exitCode = wrong.length === 0 ? 0 : 1;
