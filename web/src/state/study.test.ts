import { expect, it } from 'vitest';

import { BARS, barsOf, durationOf, firstDay } from './study';

const HOUR_MS = 3_600_000;

function period(start: string, focusMs: number, freeMs: number) {
  return { start, focusMs, freeMs, totalMs: focusMs + freeMs };
}

it.each([
  [0, '0 min'],
  [999, '0 min'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [HOUR_MS - 1, '59 min'],
  [HOUR_MS, '1 h'],
  [HOUR_MS + 5 * 60_000, '1 h 5 min'],
  [100 * HOUR_MS, '100 h'],
])('%d ms are %s', (ms, text) => {
  expect(durationOf(ms)).toBe(text);
});

it('draws to the highest bar', () => {
  const bars = barsOf(
    [period('2026-11-22', HOUR_MS, HOUR_MS), period('2026-11-23', HOUR_MS, 0)],
    'days',
    'en',
  );
  expect(bars.map(({ focusShare, freeShare }) => [focusShare, freeShare])).toEqual([
    [0.5, 0.5],
    [0.5, 0],
  ]);
});

it('draws nothing where nothing was studied', () => {
  const [bar] = barsOf([period('2026-11-23', 0, 0)], 'days', 'en');
  expect([bar?.focusShare, bar?.freeShare]).toEqual([0, 0]);
});

it('shows the last days, named as they are wherever one looks from', () => {
  const days = Array.from({ length: 30 }, (_, index) =>
    period(`2026-11-${String(index + 1).padStart(2, '0')}`, 1, 0),
  );
  const bars = barsOf(days, 'days', 'en-GB');
  expect(bars).toHaveLength(BARS.days);
  expect(bars.at(-1)?.name).toMatch(/^Mon,? 30 Nov$/);
  expect(barsOf([period('2026-11-01', 1, 0)], 'months', 'en-GB')[0]?.name).toBe('November 2026');
  expect(barsOf([period('2026-11-23', 1, 0)], 'weeks', 'en-GB')[0]?.name).toBe('Week of 23 Nov');
});

it('asks for a year', () => {
  expect(firstDay(Date.parse('2026-11-23T12:00:00Z'))).toBe('2025-11-24');
});
