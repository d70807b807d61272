/** Figures that are worth reading in the log where all is well too; nothing is asserted of them. */

import { test } from '@playwright/test';

/** A figure worth reading where all is well too. */
export function measured(what: string, ...values: (number | string)[]): void {
  const description = values.join(', ');
  test.info().annotations.push({ type: what, description });
  console.info(`    ${what}: ${description}`);
}
