import { expect, it } from 'vitest';

import { worstOf } from './transports';

it('shows the worse of two connections', () => {
  expect(worstOf([])).toBe('idle');
  expect(worstOf(['connected', 'idle'])).toBe('connected');
  expect(worstOf(['connected', 'connecting'])).toBe('connecting');
  expect(worstOf(['unstable', 'connecting'])).toBe('unstable');
  expect(worstOf(['failed', 'unstable'])).toBe('failed');
});
