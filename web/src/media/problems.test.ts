import { expect, it } from 'vitest';

import { problemOf, sentenceOf, type DeviceProblem } from './problems';

it.each([
  ['NotAllowedError', 'refused'],
  ['NotFoundError', 'missing'],
  ['OverconstrainedError', 'missing'],
  ['NotReadableError', 'busy'],
  ['InsecureError', 'insecure'],
  ['NotSupportedError', 'unsupported'],
  ['WhoKnows', 'failed'],
] satisfies [string, DeviceProblem][])('%s means %s', (name, problem) => {
  expect(problemOf(Object.assign(new Error('x'), { name }))).toBe(problem);
});

it.each([undefined, null, 'text', {}])('something that is no error means failed: %j', (thrown) => {
  expect(problemOf(thrown)).toBe('failed');
});

it('has a sentence for each', () => {
  const problems: DeviceProblem[] = [
    'refused',
    'missing',
    'busy',
    'lost',
    'insecure',
    'unsupported',
    'failed',
  ];
  for (const kind of ['camera', 'microphone', 'screen'] as const) {
    for (const problem of problems) expect(sentenceOf(kind, problem)).toMatch(/^[A-Z].+\.$/);
  }
});
