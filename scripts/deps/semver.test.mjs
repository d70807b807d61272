import assert from 'node:assert/strict';
import test from 'node:test';

import { compare, satisfies } from './semver.mjs';

test('versions stand in the order of semver 2.0 §11', () => {
  const order = ['0.9.9', '1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0-beta.2', '1.0.0-beta.11', '1.0.0-rc.1', '1.0.0', '1.0.1', '1.2.0', '1.10.0', '2.0.0'];
  for (let i = 1; i < order.length; i++) {
    assert.ok(compare(order[i - 1], order[i]) < 0, `${order[i - 1]} < ${order[i]}`);
    assert.ok(compare(order[i], order[i - 1]) > 0, `${order[i]} > ${order[i - 1]}`);
  }
  assert.equal(compare('1.2.3+build', '1.2.3'), 0);
});

test('requirements are met as Cargo meets them', () => {
  const cases = [
    ['>= 1.2.3', ['1.2.3', '1.3.0', '2.0.0'], ['1.2.2', '1.2.3-rc.1']],
    ['> 1.2', ['1.3.0'], ['1.2.0', '1.2.9']],
    ['<= 1.2', ['1.2.9', '1.0.0'], ['1.3.0']],
    ['< 2', ['1.99.0'], ['2.0.0']],
    ['^1.2.3', ['1.2.3', '1.9.0'], ['1.2.2', '2.0.0', '2.0.0-alpha']],
    ['^0.2.3', ['0.2.3', '0.2.9'], ['0.3.0']],
    ['^0.0.3', ['0.0.3'], ['0.0.4']],
    ['^0', ['0.0.1', '0.9.0'], ['1.0.0']],
    ['0.5', ['0.5.0', '0.5.9'], ['0.6.0']],
    ['~1.2.3', ['1.2.9'], ['1.3.0']],
    ['~1', ['1.9.0'], ['2.0.0']],
    ['= 1.2', ['1.2.7'], ['1.3.0']],
    ['=1.2.3', ['1.2.3'], ['1.2.4']],
    ['>= 1.38.2, < 1.39.0', ['1.38.2', '1.38.9'], ['1.39.0', '1.38.1']],
    ['1.*', ['1.7.0'], ['2.0.0']],
    ['*', ['0.0.1'], []],
  ];
  for (const [requirement, met, unmet] of cases) {
    for (const version of met) assert.ok(satisfies(version, requirement), `${version} meets ${requirement}`);
    for (const version of unmet) assert.ok(!satisfies(version, requirement), `${version} does not meet ${requirement}`);
  }
});

test('nonsense is refused', () => {
  assert.throws(() => satisfies('1.0.0', '>< 2'));
  assert.throws(() => satisfies('one', '1'));
});
