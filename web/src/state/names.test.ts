import { describe, expect, it } from 'vitest';

import { checkName, initialsOf, toneOf } from './names';

describe('a name', () => {
  it.each(["O'Brien", "don't", 'Ngũgĩ wa Thiong’o', '李', 'x'.repeat(50), '🦉'.repeat(50)])(
    '%s is fine',
    (typed) => {
      expect(checkName(typed)).toEqual({ name: typed });
    },
  );

  it('is stored composed and without spaces around it', () => {
    expect(checkName('  E\u0301milie ')).toEqual({ name: 'Émilie' });
  });

  it.each(['', '   ', 'x'.repeat(51), '🦉'.repeat(51), 'a\u0000b', 'a\nb'])('%j is refused', (typed) => {
    expect(checkName(typed)).toHaveProperty('problem');
  });
});

it.each([
  ['Ada Lovelace', 'AL'],
  ['grace', 'G'],
  ['Maria Sibylla Merian', 'MM'],
  ['émilie du châtelet', 'ÉC'],
  ['李 伟', '李伟'],
  ['jean-luc', 'JL'],
  ['(Ada) [Byron]', 'AB'],
  ['🦉', '🦉'],
  ['', '?'],
])('stands for %j as %s', (name, initials) => {
  expect(initialsOf(name)).toBe(initials);
});

it('gives the same person the same tone, within the palette', () => {
  for (const id of ['a', 'b', 'f3e1', 'x'.repeat(200)]) {
    expect(toneOf(id)).toBe(toneOf(id));
    expect(toneOf(id)).toBeGreaterThanOrEqual(0);
    expect(toneOf(id)).toBeLessThan(8);
  }
});
