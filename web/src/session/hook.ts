/**
 * `window.__studyhall`: a window into the running page for tests and for the curious, from the browser's console. It
 * only reads; nothing in the client depends on it.
 *
 * - `await __studyhall.stats()`: the media connections in numbers (`MediaReport`)
 * - `__studyhall.room()`: who is there and how the connections are, or `undefined` outside a room
 */

import type { MediaReport } from '../media/report';
import type { RoomSession } from './room';

export interface StudyhallHook {
  stats(): Promise<MediaReport>;
  room(): RoomSnapshot | undefined;
}

export interface RoomSnapshot {
  link: string;
  media: string;
  selfId: string | undefined;
  participants: { id: string; displayName: string }[];
  producers: { producerId: string; participantId: string; source: string; paused: boolean }[];
}

declare global {
  interface Window {
    __studyhall?: StudyhallHook;
  }
}

export function installHook(current: () => RoomSession | undefined): void {
  window.__studyhall = Object.freeze({
    stats: async () => (await current()?.report()) ?? { transports: [], inbound: [], outbound: [] },
    room: () => {
      const session = current();
      return session === undefined ? undefined : snapshotOf(session);
    },
  });
}

function snapshotOf(session: RoomSession): RoomSnapshot {
  const { link, media, selfId, participants, producers } = session.view.get();
  return {
    link: link.kind,
    media: media.kind,
    selfId,
    participants: participants.map(({ id, displayName }) => ({ id, displayName })),
    producers: [...producers.values()].map(({ producerId, participantId, source, paused }) => ({
      producerId,
      participantId,
      source,
      paused,
    })),
  };
}
