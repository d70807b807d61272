import { describe, expect, it } from 'vitest';

import { fitGrid, type Area } from './grid';

const OPTIONS = { gap: 10, minTileWidth: 100 };
const DESKTOP: Area = { width: 1416, height: 776 };
const TELEPHONE: Area = { width: 366, height: 700 };

describe.each([
  ['a desktop', DESKTOP],
  ['a telephone', TELEPHONE],
  ['a narrow strip', { width: 260, height: 760 }],
])('on %s', (_, area) => {
  it.each(Array.from({ length: 50 }, (_, index) => index + 1))('%i tiles fit', (count) => {
    const grid = fitGrid(count, area, OPTIONS);
    expect(grid.columns * grid.rows).toBeGreaterThanOrEqual(count);
    expect(grid.columns * (grid.rows - 1)).toBeLessThan(count);
    expect(grid.columns * grid.tileWidth + (grid.columns - 1) * OPTIONS.gap).toBeLessThanOrEqual(area.width);
    expect(grid.tileWidth).toBeGreaterThanOrEqual(OPTIONS.minTileWidth);
    if (!grid.scrolls) {
      expect(grid.rows * grid.tileHeight + (grid.rows - 1) * OPTIONS.gap).toBeLessThanOrEqual(area.height);
    }
  });
});

it('fills most of a desktop window whatever the number', () => {
  for (let count = 2; count <= 50; count += 1) {
    const grid = fitGrid(count, DESKTOP, OPTIONS);
    const used = (count * grid.tileWidth * grid.tileHeight) / (DESKTOP.width * DESKTOP.height);
    expect(used, `${count} tiles`).toBeGreaterThan(0.6);
  }
});

it('puts two people beside each other on a desktop and above each other on a telephone', () => {
  expect(fitGrid(2, DESKTOP, OPTIONS)).toMatchObject({ columns: 2, rows: 1 });
  expect(fitGrid(2, TELEPHONE, OPTIONS)).toMatchObject({ columns: 1, rows: 2 });
});

it('keeps a single tile within the shape of a camera', () => {
  const { tileWidth, tileHeight } = fitGrid(1, DESKTOP, OPTIONS);
  expect(tileWidth / tileHeight).toBeCloseTo(16 / 9, 2);
});

it('never makes tiles smaller when somebody leaves', () => {
  for (const area of [DESKTOP, TELEPHONE]) {
    const sizes = Array.from({ length: 50 }, (_, index) => {
      const grid = fitGrid(index + 1, area, OPTIONS);
      return grid.scrolls ? 0 : grid.tileWidth * grid.tileHeight;
    });
    for (let index = 1; index < sizes.length; index += 1) {
      expect(sizes[index]).toBeLessThanOrEqual(sizes[index - 1] ?? 0);
    }
  }
});

it.each([
  [0, DESKTOP],
  [3, { width: 0, height: 500 }],
  [3, { width: 500, height: -1 }],
])('gives no size where there is nothing to draw (%i)', (count, area) => {
  expect(fitGrid(count, area, OPTIONS)).toMatchObject({ tileWidth: 0, tileHeight: 0 });
});
