/** Four windows for a minute: nothing freezes. */

import type { InboundReport } from '../src/media/report';
import { expect, test, type Person } from './support/fixtures';

const NAMES = ['Ada', 'Grace', 'Hedy', 'Mary'];
const WATCHED_MS = 60_000;
/** Few enough frames that a busy machine can keep up; a gap of three of them is a freeze. */
const PICTURE = { width: 320, height: 180, frameRate: 10 };

test('four people see each other for a minute without a freeze', async ({ people }) => {
  test.setTimeout(180_000);
  const all: Person[] = [];
  for (const name of NAMES) all.push(await people.join(name, { room: 'study-room-1', picture: PICTURE }));
  for (const person of all) {
    for (const name of NAMES.filter((each) => each !== person.name)) await person.expectToSee(name);
  }
  const before = await camerasOf(all);
  expect(before.size).toBe(NAMES.length * (NAMES.length - 1));
  // The minute itself is what is tested.
  await all[0]?.page.waitForTimeout(WATCHED_MS);
  const after = await camerasOf(all);
  expect([...after.keys()], 'everybody receives what they received before').toEqual([...before.keys()]);
  for (const [stream, report] of after) {
    const decoded = report.framesDecoded - (before.get(stream)?.framesDecoded ?? 0);
    const frozen = report.freezeCount - (before.get(stream)?.freezeCount ?? 0);
    expect({ frozen }, `${stream}: ${JSON.stringify(report)}`).toEqual({ frozen: 0 });
    expect(decoded, `frames of ${stream}`).toBeGreaterThan((WATCHED_MS / 1_000) * PICTURE.frameRate * 0.8);
  }
});

async function camerasOf(all: readonly Person[]): Promise<Map<string, InboundReport>> {
  const cameras = new Map<string, InboundReport>();
  for (const viewer of all) {
    for (const report of (await viewer.stats()).inbound) {
      if (report.source === 'camera') cameras.set(`${report.producerId} at ${viewer.name}`, report);
    }
  }
  return cameras;
}
