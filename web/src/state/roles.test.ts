import { expect, test } from 'vitest';

import { actionsOn, isStaff } from './roles';

test('members and guests keep no order', () => {
  for (const role of ['member', 'guest'] as const) {
    expect(isStaff(role)).toBe(false);
    expect(actionsOn(role, 'guest')).toEqual([]);
  }
});

test('a moderator leads members and guests, and nobody leads a host', () => {
  expect(actionsOn('moderator', 'guest')).toEqual(['mute', 'stop-video', 'stop-screen', 'kick', 'ban']);
  expect(actionsOn('moderator', 'moderator')).toEqual([]);
  expect(actionsOn('host', 'host')).toEqual([]);
  expect(actionsOn('host', 'moderator')).toContain('demote');
  expect(actionsOn('host', 'member')).toContain('transfer-host');
  expect(actionsOn('host', 'guest')).not.toContain('transfer-host');
});
