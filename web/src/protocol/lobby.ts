/** The list of rooms with how full each one is, kept up to date for as long as somebody looks at it. */

import type { Manager, Socket } from 'socket.io-client';

import type { LobbyEvents } from './generated/messages';

export interface LobbyHandlers {
  onState: (state: LobbyEvents['lobby-state']) => void;
  onOccupancy: (change: LobbyEvents['room-occupancy']) => void;
  /** Whether what is shown is live. */
  onLive: (live: boolean) => void;
}

/** Opens the root namespace; the function that comes back closes it. */
export function watchLobby(manager: Manager, handlers: LobbyHandlers): () => void {
  const socket: Socket = manager.socket('/');
  socket.on('lobby-state', handlers.onState);
  socket.on('room-occupancy', handlers.onOccupancy);
  socket.on('connect', () => handlers.onLive(true));
  socket.on('disconnect', () => handlers.onLive(false));
  socket.on('connect_error', () => handlers.onLive(false));
  if (socket.connected) {
    // The namespace greets at connect only: come in again to be greeted.
    socket.disconnect();
  }
  socket.connect();
  return () => {
    socket.removeAllListeners();
    socket.disconnect();
  };
}
