/** What is asked over HTTP about a room by those who are in it. */

import type { BanPage, MessagePage, ReportPage } from './generated/messages';
import { ask, withQuery } from './http';
import type { RoomChange } from './api';

function path(roomId: string, what: string): string {
  return `/api/rooms/${encodeURIComponent(roomId)}${what}`;
}

/** What was said before a message, by its time and id. */
export function readMessages(token: string, roomId: string, before?: string): Promise<MessagePage> {
  return ask(withQuery(path(roomId, '/messages'), { before }), { token });
}

export function readBans(token: string, roomId: string, before?: string): Promise<BanPage> {
  return ask(withQuery(path(roomId, '/bans'), { before }), { token });
}

export function readReports(token: string, roomId: string, before?: string): Promise<ReportPage> {
  return ask(withQuery(path(roomId, '/reports'), { before }), { token });
}

export function handleReport(token: string, roomId: string, reportId: string): Promise<void> {
  return ask(path(roomId, `/reports/${encodeURIComponent(reportId)}/handled`), { method: 'POST', token });
}

export function changeRoom(token: string, roomId: string, body: RoomChange): Promise<void> {
  return ask(path(roomId, ''), { method: 'PATCH', body, token });
}
