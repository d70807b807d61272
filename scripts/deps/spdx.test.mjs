import assert from 'node:assert/strict';
import test from 'node:test';

import { isAllowed } from './spdx.mjs';

const ALLOWED = ['MIT', 'Apache-2.0', 'ISC', 'GPL-2.0 WITH Classpath-exception-2.0'];

test('an expression is allowed when some choice in it is', () => {
  for (const expression of [
    'MIT',
    'MIT OR GPL-3.0',
    'GPL-3.0 or MIT',
    'MIT/Apache-2.0',
    'ISC AND (MIT OR GPL-3.0)',
    'Apache-2.0 WITH LLVM-exception',
    'GPL-2.0 WITH Classpath-exception-2.0',
    '(MIT OR GPL-3.0) AND ISC AND MIT',
  ]) {
    assert.ok(isAllowed(expression, ALLOWED), expression);
  }
});

test('an expression without an allowed choice is not', () => {
  for (const expression of [
    'GPL-3.0',
    'MIT AND GPL-3.0',
    // AND binds closer than OR.
    'GPL-3.0 OR MIT AND AGPL-3.0',
    'GPL-2.0',
    'GPL-2.0 WITH Bison-exception-2.2',
    'MITx',
  ]) {
    assert.ok(!isAllowed(expression, ALLOWED), expression);
  }
});

test('what is no expression is refused, not guessed', () => {
  for (const expression of ['', 'MIT OR', 'OR MIT', '(MIT', 'MIT)', 'MIT Apache-2.0', 'SEE LICENSE IN <file>']) {
    assert.throws(() => isAllowed(expression, ALLOWED), undefined, JSON.stringify(expression));
  }
});
