/** Who may do what to whom, as the server has it (crates/server/src/room/roles.rs): what is not allowed is not offered. */

import type { Action, Role } from '../protocol/generated/messages';

const LED: readonly Role[] = ['member', 'guest'];
const ALL_BUT_HOSTS: readonly Role[] = ['moderator', ...LED];

const RULES: readonly { action: Action; host: readonly Role[]; moderator: readonly Role[] }[] = [
  { action: 'mute', host: ALL_BUT_HOSTS, moderator: LED },
  { action: 'stop-video', host: ALL_BUT_HOSTS, moderator: LED },
  { action: 'stop-screen', host: ALL_BUT_HOSTS, moderator: LED },
  { action: 'kick', host: ALL_BUT_HOSTS, moderator: LED },
  { action: 'ban', host: ALL_BUT_HOSTS, moderator: LED },
  { action: 'promote', host: LED, moderator: [] },
  { action: 'demote', host: ['moderator'], moderator: [] },
  { action: 'transfer-host', host: ['moderator', 'member'], moderator: [] },
];

export function isStaff(role: Role | undefined): boolean {
  return role === 'host' || role === 'moderator';
}

/** What somebody with this role may do to somebody else with that one. */
export function actionsOn(actor: Role | undefined, target: Role): Action[] {
  if (actor !== 'host' && actor !== 'moderator') return [];
  return RULES.filter((rule) => rule[actor].includes(target)).map(({ action }) => action);
}
