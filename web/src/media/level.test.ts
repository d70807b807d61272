import { expect, it } from 'vitest';

import { levelOf } from './level';

const tone = (amplitude: number): Float32Array =>
  Float32Array.from({ length: 1024 }, (_, index) => amplitude * Math.sin(index / 4));

it('is nothing for silence and full for a loud tone', () => {
  expect(levelOf(new Float32Array(1024))).toBe(0);
  expect(levelOf(new Float32Array(0))).toBe(0);
  expect(levelOf(tone(1))).toBe(1);
});

it('rises with loudness, and by equal steps for equal ratios', () => {
  const [quiet = 0, middle = 0, loud = 0] = [0.004, 0.02, 0.1].map((amplitude) => levelOf(tone(amplitude)));
  expect(quiet).toBeGreaterThan(0);
  expect(middle).toBeGreaterThan(quiet);
  expect(loud - middle).toBeCloseTo(middle - quiet, 3);
});
