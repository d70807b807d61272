/** How things of a room are called. */

import type { Action, Role, Status } from '../protocol/generated/messages';

export const STATUS_NAMES: Record<Status, string> = {
  focusing: 'Focusing',
  break: 'On a break',
  away: 'Away',
  dnd: 'Do not disturb',
};

export const ROLE_NAMES: Record<Role, string> = {
  host: 'Host',
  moderator: 'Moderator',
  member: 'Member',
  guest: 'Guest',
};

export const ACTION_NAMES: Partial<Record<Action, string>> = {
  mute: 'Mute microphone',
  'stop-video': 'Turn camera off',
  'stop-screen': 'Stop screen share',
  kick: 'Send out',
  ban: 'Ban…',
  promote: 'Make moderator',
  demote: 'Moderator no more',
  'transfer-host': 'Hand the room over',
};

/** A small palette; any emoji is allowed by the server. */
export const REACTIONS = ['👍', '🎉', '❤️', '😂', '👏', '💪', '☕', '🤔'] as const;
