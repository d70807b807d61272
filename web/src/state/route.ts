/** Addresses of the page: the lobby at `/`, a room at `/room/<id>`. */

export type Route = { page: 'lobby' } | { page: 'room'; roomId: string } | { page: 'unknown' };

/** A room's id is a slug. */
const ROOM_PATH = /^\/room\/([a-z0-9-]{1,64})\/?$/;

export function routeOf(pathname: string): Route {
  if (pathname === '/') return { page: 'lobby' };
  const roomId = ROOM_PATH.exec(pathname)?.[1];
  return roomId === undefined ? { page: 'unknown' } : { page: 'room', roomId };
}

export function pathOf(route: Route): string {
  return route.page === 'room' ? `/room/${route.roomId}` : '/';
}
