import assert from 'node:assert/strict';
import test from 'node:test';

import { checkEdges, checkLints, checkTree, unsafeLines } from './walls.mjs';

const crate = (name, ...dependencies) => ({
  name,
  dependencies: dependencies.map((dependency) => ({ kind: null, ...dependency })),
});

test('an edge across a wall is found, one along the map is not', () => {
  assert.deepEqual(checkEdges([crate('wire'), crate('sfu-core', { name: 'wire' }, { name: 'rand' })]), []);
  assert.deepEqual(checkEdges([crate('wire', { name: 'net' }), crate('net')]), ['wire must not depend on net']);
  assert.deepEqual(checkEdges([crate('bot', { name: 'sfu-core' }), crate('sfu-core')]), ['bot must not depend on sfu-core']);
});

test('an edge for tests only is no edge of the program', () => {
  assert.deepEqual(checkEdges([crate('sfu-core', { name: 'bot', kind: 'dev' }), crate('bot')]), []);
  assert.deepEqual(checkEdges([crate('sfu-core', { name: 'bot' }), crate('bot')]), ['sfu-core must not depend on bot']);
});

test('a crate of others on the wrong side of a wall is found', () => {
  assert.match(checkEdges([crate('sfu', { name: 'axum' })])[0], /sfu must not depend on axum/);
  assert.match(checkEdges([crate('sfu-core', { name: 'tokio' })])[0], /sfu-core must not depend on tokio/);
});

test('a crate that the walls do not know is found', () => {
  assert.match(checkEdges([crate('utils')])[0], /utils is no crate that the walls know/);
});

test('I/O deep in the tree of the media engine is found', () => {
  const tree = 'sfu-core v0.1.0 (/x)\ndimpl v0.9.0\n';
  assert.deepEqual(checkTree('sfu-core', tree), []);
  assert.match(checkTree('sfu-core', `${tree}mio v1.0.0\nmio v1.0.0 (*)\n`)[0], /sfu-core has mio/);
  assert.equal(checkTree('sfu-core', '').length, 1, 'no tree is no proof');
});

test('a crate that leaves the lints of the workspace is found', () => {
  const workspace = '[workspace.lints.rust]\nunsafe_code = "forbid"\n';
  const obedient = { name: 'wire', text: '[lints]\nworkspace = true\n' };
  assert.deepEqual(checkLints(workspace, [obedient]), []);
  assert.equal(checkLints(workspace, [{ name: 'wire', text: '[lints.rust]\nunsafe_code = "allow"\n' }]).length, 1);
  assert.equal(checkLints(workspace.replace('forbid', 'warn'), [obedient]).length, 1);
  assert.equal(checkLints(workspace, [{ name: 'net', text: '[lints.clippy]\n' }]).length, 1);
});

test('unsafe is found in code and not in text', () => {
  const source = [
    '// unsafe in a comment',
    'let quote = \'"\'; unsafe { x() };',
    'let text = "unsafe";',
    '/* unsafe',
    ' unsafe */ fn f<\'a>(x: &\'a str) {}',
    'let raw = r#"unsafe " unsafe"#;',
    'unsafe fn g() {}',
    '#![forbid(unsafe_code)]',
  ].join('\n');
  assert.deepEqual(unsafeLines(source), [2, 7]);
});
