import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { readAdvisory } from './advisories.mjs';
import { builtCrates, checkCrates, checkWebLicences, isAffected, shippedPaths, uncovered } from './rules.mjs';

const crate = (name, version, more = {}) => ({
  name,
  version,
  license: 'MIT',
  source: 'registry+https://github.com/rust-lang/crates.io-index',
  ...more,
});

const ADVISORY = { id: 'RUSTSEC-2020-0001', package: 'leaky', title: 'It leaks', patched: ['>= 1.2.3'], unaffected: ['< 1.0.0'] };
const SNAPSHOT = { date: '2026-01-01', covers: ['leaky'], advisories: [ADVISORY] };

function check(packages, { allow = ['MIT'], exceptions, deny, skip, ignore } = {}) {
  const config = { licenses: { allow, exceptions }, bans: { deny, skip }, advisories: { ignore } };
  return checkCrates(packages, config, SNAPSHOT);
}

test('only what gets built counts, and not our own', () => {
  const [ours, used, deep, unused] = ['ours', 'used', 'deep', 'unused'].map((id) => crate(id, '1.0.0', { id }));
  ours.source = null;
  const node = (id, ...deps) => ({ id, deps: deps.map((pkg) => ({ pkg })) });
  const metadata = {
    packages: [ours, used, deep, unused],
    workspace_members: ['ours'],
    resolve: { nodes: [node('ours', 'used'), node('used', 'deep'), node('deep'), node('unused', 'deep')] },
  };
  assert.deepEqual(builtCrates(metadata), [used, deep]);
});

test('a clean list of crates has nothing wrong', () => {
  assert.deepEqual(check([crate('leaky', '1.2.3'), crate('other', '0.1.0')]), []);
});

test('a licence that is not allowed is found, an exception is for its crate only', () => {
  const packages = [crate('free', '1.0.0', { license: 'GPL-3.0' }), crate('none', '1.0.0', { license: null })];
  const wrong = check(packages, { exceptions: [{ crate: 'other', allow: ['GPL-3.0'] }] });
  assert.equal(wrong.length, 2);
  assert.match(wrong[0], /free 1\.0\.0 is under GPL-3\.0/);
  assert.match(wrong[1], /none 1\.0\.0 names no licence/);
  assert.deepEqual(check([packages[0]], { exceptions: [{ crate: 'free', allow: ['GPL-3.0'] }] }), []);
});

test('a banned crate is found, by name or by version', () => {
  const packages = [crate('bad', '1.0.0'), crate('old', '0.9.0')];
  const wrong = check(packages, { deny: [{ crate: 'bad', reason: 'it is bad' }, { crate: 'old@<1', reason: 'it is old' }] });
  assert.deepEqual(wrong, ['bad 1.0.0 is banned: it is bad', 'old 0.9.0 is banned: it is old']);
  assert.deepEqual(check([crate('old', '1.0.0')], { deny: [{ crate: 'old@<1', reason: 'it is old' }] }), []);
});

test('a second version is found unless it is allowed with a reason', () => {
  const packages = [crate('twice', '1.0.0'), crate('twice', '2.0.0')];
  assert.deepEqual(check(packages), ['twice is there in 2 versions: 1.0.0, 2.0.0']);
  assert.deepEqual(check(packages, { skip: [{ crate: 'twice@1.0.0', reason: 'x needs it' }] }), []);
  assert.match(check(packages, { skip: [{ crate: 'twice@1.0.0' }] })[0], /gives no reason/);
});

test('an allowance for what is gone is found', () => {
  const skip = [{ crate: 'twice@1.0.0', reason: 'x needs it' }];
  assert.match(check([crate('twice', '2.0.0')], { skip })[0], /not there any more/);
  assert.match(check([crate('twice', '1.0.0')], { skip })[0], /the only one/);
  const ignore = [{ id: ADVISORY.id, reason: 'not reached' }];
  assert.match(check([crate('leaky', '1.2.3')], { ignore })[0], /nothing here any more/);
});

test('a crate from elsewhere than crates.io is found', () => {
  const wrong = check([crate('forked', '1.0.0', { source: 'git+https://example.org/forked#abc' })]);
  assert.match(wrong[0], /forked 1\.0\.0 comes from git\+https/);
});

test('a crate with a known vulnerability is found, before and after the affected range it is not', () => {
  for (const [version, affected] of [['0.9.0', false], ['1.0.0', true], ['1.2.2', true], ['1.2.3', false], ['2.0.0', false]]) {
    assert.equal(check([crate('leaky', version)]).length, affected ? 1 : 0, version);
  }
  assert.match(check([crate('leaky', '1.0.0')])[0], /RUSTSEC-2020-0001 \(vulnerability\): It leaks; fixed in >= 1\.2\.3/);
  const ignore = [{ id: ADVISORY.id, reason: 'not reached' }];
  assert.deepEqual(check([crate('leaky', '1.0.0')], { ignore }), []);
});

test('crates newer than the snapshot are named', () => {
  assert.deepEqual(uncovered([crate('leaky', '1.0.0'), crate('new', '1.0.0')], SNAPSHOT), ['new']);
});

test('an advisory is read from its file', () => {
  const text = '```toml\n[advisory]\nid = "RUSTSEC-2024-0001"\npackage = "p"\ninformational = "unsound"\n\n[versions]\npatched = []\n```\n\n# Title of it\n\nText.\n';
  assert.deepEqual(readAdvisory(text), [
    { id: 'RUSTSEC-2024-0001', package: 'p', title: 'Title of it', informational: 'unsound', patched: [], unaffected: [] },
  ]);
  assert.deepEqual(readAdvisory(text.replace('package', 'withdrawn = "2024-02-02"\npackage')), []);
});

test('every range of the committed snapshot can be read', () => {
  const snapshot = JSON.parse(readFileSync(new URL('advisories.json', import.meta.url), 'utf8'));
  assert.ok(snapshot.advisories.length > 0);
  for (const advisory of snapshot.advisories) {
    assert.ok(snapshot.covers.includes(advisory.package), advisory.id);
    // Below every patched range and, were it not for `unaffected`, affected.
    assert.ok(isAffected('0.0.0', { ...advisory, unaffected: [] }), advisory.id);
    assert.doesNotThrow(() => isAffected('1.2.3-rc.1', advisory), advisory.id);
  }
});

const LOCK = {
  packages: {
    '': { dependencies: { a: '1' }, devDependencies: { tool: '1' } },
    'node_modules/a': { version: '1.0.0', license: 'MIT', dependencies: { b: '1', '@s/c': '1' } },
    'node_modules/a/node_modules/b': { version: '1.0.0', license: 'GPL-3.0', dependencies: { d: '1' } },
    'node_modules/b': { version: '2.0.0', license: 'AGPL-3.0' },
    'node_modules/@s/c': { version: '1.0.0', license: 'ISC', dependencies: { a: '1' } },
    'node_modules/d': { version: '1.0.0' },
    'node_modules/tool': { version: '1.0.0', license: 'AGPL-3.0', dev: true },
  },
};

test('what the web client ships is found the way Node finds it', () => {
  const paths = ['node_modules/@s/c', 'node_modules/a', 'node_modules/a/node_modules/b', 'node_modules/d'];
  assert.deepEqual(shippedPaths(LOCK, ['a']), paths);
});

test('a licence in what the web client ships is checked, one of its tools is not', () => {
  const wrong = checkWebLicences(LOCK, ['a'], () => undefined, ['MIT', 'ISC']);
  assert.deepEqual(wrong, ['npm b@1.0.0 is under GPL-3.0, which deny.toml does not allow', 'npm d@1.0.0 names no licence']);
  assert.deepEqual(checkWebLicences(LOCK, ['a'], () => 'MIT', ['MIT']), []);
});
