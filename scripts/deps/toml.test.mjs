import assert from 'node:assert/strict';
import test from 'node:test';

import { parseToml } from './toml.mjs';

test('tables, keys and values of every kind are read', () => {
  const text = `
# a comment
top = "x # no comment"   # a comment
[a.b]
'quoted key' = 'C:\\path'
number = -7
date = 2026-01-31
flags = [true, false,
  # in the middle
  { name = "one", "n.m" = 1 }, ]
long = """
first \\
   second
third"""
dotted.key = "d\\u00e9"
[[list]]
id = 1
[[list]]
id = 2
[list.inner]
deep = true
`;
  assert.deepEqual(parseToml(text), {
    top: 'x # no comment',
    a: {
      b: {
        'quoted key': 'C:\\path',
        number: -7,
        date: '2026-01-31',
        flags: [true, false, { name: 'one', 'n.m': 1 }],
        long: 'first second\nthird',
        dotted: { key: 'dé' },
      },
    },
    list: [{ id: 1 }, { id: 2, inner: { deep: true } }],
  });
});

test('what is no TOML is refused with its line', () => {
  for (const [text, line] of [
    ['a = ', 1],
    ['\na = "open', 2],
    ['a = 1\n\nb = 2 3', 3],
    ['a = [1, 2', 1],
    ['a = 1\na = 2', 2],
    ['[a\nb = 1', 1],
    ['= 1', 1],
  ]) {
    assert.throws(() => parseToml(text), new RegExp(`line ${line}`), JSON.stringify(text));
  }
});
