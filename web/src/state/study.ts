/** Time studied, in words and bars: pure. */

import type { StudyPeriod } from '../protocol/generated/messages';

export type Scale = 'days' | 'weeks' | 'months';

/** How many bars are shown. */
export const BARS: Record<Scale, number> = { days: 14, weeks: 12, months: 12 };
/** Days that are asked for: every scale has enough, and the server gives as many. */
export const DAYS_ASKED = 365;

export interface Bar extends StudyPeriod {
  /** Below the bar. */
  label: string;
  /** As it is read out, and in the table. */
  name: string;
  /** Share of the highest bar, 0 to 1. */
  focusShare: number;
  freeShare: number;
}

/** The last periods of a scale, drawn to the highest of them. */
export function barsOf(periods: readonly StudyPeriod[], scale: Scale, locale?: string): Bar[] {
  const shown = periods.slice(-BARS[scale]);
  const highest = Math.max(1, ...shown.map(({ totalMs }) => totalMs));
  return shown.map((period) => ({
    ...period,
    ...namesOf(period.start, scale, locale),
    focusShare: period.focusMs / highest,
    freeShare: period.freeMs / highest,
  }));
}

function namesOf(start: string, scale: Scale, locale?: string): { label: string; name: string } {
  // A day has no time zone: it is shown as it is.
  const date = new Date(`${start}T00:00:00Z`);
  const write = (options: Intl.DateTimeFormatOptions): string =>
    new Intl.DateTimeFormat(locale, { ...options, timeZone: 'UTC' }).format(date);
  switch (scale) {
    case 'days':
      return {
        label: write({ weekday: 'narrow' }),
        name: write({ weekday: 'short', day: 'numeric', month: 'short' }),
      };
    case 'weeks': {
      const day = write({ day: 'numeric', month: 'short' });
      return { label: write({ day: 'numeric', month: 'numeric' }), name: `Week of ${day}` };
    }
    case 'months':
      return { label: write({ month: 'narrow' }), name: write({ month: 'long', year: 'numeric' }) };
  }
}

/** `1 h 5 min`; seconds only where there is not one whole minute. */
export function durationOf(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return seconds === 0 ? '0 min' : `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours === 0) return `${minutes} min`;
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

/** The first day to ask for, so that every scale is whole. */
export function firstDay(nowMs: number): string {
  return new Date(nowMs - (DAYS_ASKED - 1) * 86_400_000).toISOString().slice(0, 10);
}
