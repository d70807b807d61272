// The rules for what we depend on, as pure functions: package lists in, sentences about what is wrong out.
// The configuration is deny.toml, in cargo-deny's words.

import { satisfies } from './semver.mjs';
import { isAllowed } from './spdx.mjs';

const CRATES_IO = 'registry+https://github.com/rust-lang/crates.io-index';

/**
 * The crates of others that get built for some platform, for the program or its tests. `cargo metadata` also lists what
 * the lock file keeps for features that nobody has on.
 */
export function builtCrates({ packages, resolve, workspace_members }) {
  const edges = new Map(resolve.nodes.map(({ id, deps }) => [id, deps.map(({ pkg }) => pkg)]));
  const built = new Set();
  const visit = (id) => {
    if (built.has(id)) return;
    built.add(id);
    edges.get(id).forEach(visit);
  };
  workspace_members.forEach(visit);
  return packages.filter(({ id, source }) => source !== null && built.has(id));
}

/** Everything wrong with `crates`. */
export function checkCrates(crates, config, snapshot) {
  return [
    ...checkSources(crates),
    ...checkBans(crates, config.bans),
    ...checkDuplicates(crates, config.bans),
    ...checkLicences(crates, config.licenses),
    ...checkAdvisories(crates, snapshot, config.advisories),
  ];
}

function checkSources(crates) {
  return crates
    .filter((crate) => crate.source !== CRATES_IO)
    .map((crate) => `${nameOf(crate)} comes from ${crate.source}, not from crates.io`);
}

function checkBans(crates, { deny = [] }) {
  return deny.flatMap(({ crate, reason }) =>
    crates.filter((found) => matches(found, crate)).map((found) => `${nameOf(found)} is banned: ${reason}`),
  );
}

/** Two versions of a crate are two times its build and its size, and values of one do not fit the other. */
function checkDuplicates(crates, { skip = [] }) {
  const wrong = skip
    .filter(({ reason }) => !reason)
    .map(({ crate }) => `deny.toml allows a second version of ${crate} and gives no reason`);
  for (const { crate } of skip) {
    if (!crates.some((found) => matches(found, crate))) wrong.push(`deny.toml allows ${crate}, which is not there any more`);
  }
  const counted = crates.filter((found) => !skip.some(({ crate }) => matches(found, crate)));
  for (const [name, versions] of versionsByName(counted)) {
    if (versions.length > 1) wrong.push(`${name} is there in ${versions.length} versions: ${versions.join(', ')}`);
  }
  for (const { crate } of skip) {
    const name = crate.split('@')[0];
    if (crates.filter((found) => found.name === name).length === 1) {
      wrong.push(`deny.toml allows ${crate} as a second version, but it is the only one`);
    }
  }
  return wrong;
}

function versionsByName(crates) {
  const versions = new Map();
  for (const { name, version } of crates) versions.set(name, [...(versions.get(name) ?? []), version]);
  return versions;
}

function checkLicences(crates, { allow, exceptions = [] }) {
  return crates.flatMap((crate) => {
    const more = exceptions.filter((exception) => matches(crate, exception.crate)).flatMap((exception) => exception.allow);
    return checkLicence(nameOf(crate), crate.license, [...allow, ...more]);
  });
}

/** What is wrong with the licence of one package, crate or npm. */
export function checkLicence(name, licence, allow) {
  if (!licence) return [`${name} names no licence`];
  try {
    return isAllowed(licence, allow) ? [] : [`${name} is under ${licence}, which deny.toml does not allow`];
  } catch (error) {
    return [`${name}: ${error.message}`];
  }
}

function checkAdvisories(crates, snapshot, { ignore = [] }) {
  const wrong = ignore
    .filter(({ reason }) => !reason)
    .map(({ id }) => `deny.toml ignores ${id} and gives no reason`);
  const ignored = new Set(ignore.map(({ id }) => id));
  for (const advisory of snapshot.advisories) {
    const hits = crates.filter((crate) => crate.name === advisory.package && isAffected(crate.version, advisory));
    if (ignored.has(advisory.id)) {
      if (hits.length === 0) wrong.push(`deny.toml ignores ${advisory.id}, which concerns nothing here any more`);
      continue;
    }
    for (const crate of hits) {
      const kind = advisory.informational ?? 'vulnerability';
      wrong.push(`${nameOf(crate)} has ${advisory.id} (${kind}): ${advisory.title}; fixed in ${fixes(advisory)}`);
    }
  }
  return wrong;
}

/** RustSec: affected is what neither `patched` nor `unaffected` covers. */
export function isAffected(version, { patched, unaffected }) {
  return ![...patched, ...unaffected].some((requirement) => satisfies(version, requirement));
}

function fixes({ patched }) {
  return patched.length > 0 ? patched.join(' or ') : 'no version';
}

/** Crates that the snapshot of advisories says nothing about, because they came after it. */
export function uncovered(crates, snapshot) {
  const covered = new Set(snapshot.covers);
  return [...new Set(crates.map(({ name }) => name))].filter((name) => !covered.has(name)).sort();
}

/** Everything wrong with the licences of what the web client ships. `licenceOf` reads that of a path in the lock. */
export function checkWebLicences(lock, roots, licenceOf, allow) {
  return shippedPaths(lock, roots).flatMap((path) => {
    const entry = lock.packages[path];
    return checkLicence(`npm ${path.split('node_modules/').at(-1)}@${entry.version}`, licenceOf(path) ?? entry.license, allow);
  });
}

/** Paths in the lock of `roots` and everything below them, found the way Node finds packages. */
export function shippedPaths(lock, roots) {
  const found = new Set();
  const visit = (from, name) => {
    const path = resolve(lock, from, name);
    if (path === undefined || found.has(path)) return;
    found.add(path);
    const { dependencies = {}, optionalDependencies = {} } = lock.packages[path];
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) visit(path, next);
  };
  for (const root of roots) visit('', root);
  return [...found].sort();
}

/** Where Node finds `name` from the package at `from`: below it, or below the nearest package around it. */
function resolve(lock, from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    const path = `${folder}${folder && '/'}node_modules/${name}`;
    if (path in lock.packages) return path;
    if (folder === '') return undefined;
  }
}

/** cargo-deny's package specs: `name`, `name@1.2.3` or `name@^1`. */
function matches(crate, spec) {
  const [name, requirement] = spec.split('@');
  if (crate.name !== name) return false;
  if (requirement === undefined) return true;
  return /^\d+\.\d+\.\d+/.test(requirement) ? crate.version === requirement : satisfies(crate.version, requirement);
}

function nameOf(crate) {
  return `${crate.name} ${crate.version}`;
}
