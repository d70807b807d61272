/** What those who keep order in a room ask over HTTP. */

import { problemOf, ProtocolError } from './errors';
import type { BanPage, Invite, MessagePage, ReportPage } from './generated/messages';

/** One request in somebody's name; the body of the answer. */
async function ask(token: string, method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ProtocolError('UNREACHABLE', 'The server cannot be reached.');
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw problemOf(response.status, answer);
  return answer;
}

function pathOf(roomId: string, what: string, before?: string): string {
  const query = before === undefined ? '' : `?before=${encodeURIComponent(before)}`;
  return `/api/rooms/${encodeURIComponent(roomId)}/${what}${query}`;
}

export async function readMessages(token: string, roomId: string, before?: string): Promise<MessagePage> {
  return (await ask(token, 'GET', pathOf(roomId, 'messages', before))) as MessagePage;
}

export async function readBans(token: string, roomId: string): Promise<BanPage> {
  return (await ask(token, 'GET', pathOf(roomId, 'bans'))) as BanPage;
}

export async function readReports(token: string, roomId: string): Promise<ReportPage> {
  return (await ask(token, 'GET', pathOf(roomId, 'reports'))) as ReportPage;
}

export async function handleReport(token: string, roomId: string, reportId: string): Promise<void> {
  await ask(token, 'POST', `${pathOf(roomId, 'reports')}/${encodeURIComponent(reportId)}/handled`);
}

export async function createInvite(token: string, roomId: string): Promise<Invite> {
  return (await ask(token, 'POST', pathOf(roomId, 'invites'), {})) as Invite;
}
