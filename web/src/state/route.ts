/** Addresses of the page: the lobby at `/`, a room at `/room/<id>`, and what is around the rooms. */

export type Route =
  | { page: 'lobby' }
  | { page: 'room'; roomId: string }
  | { page: 'new-room' }
  | { page: 'edit-room'; roomId: string }
  /** `next`: the address to go to then. */
  | { page: 'sign-in'; next?: string }
  | { page: 'sign-up'; next?: string }
  | { page: 'account' }
  | { page: 'study' }
  | { page: 'unknown' };

/** A room's id is a slug. */
const ROOM_PATH = /^\/room\/([a-z0-9-]{1,64})\/?$/;
const EDIT_PATH = /^\/rooms\/([a-z0-9-]{1,64})\/edit\/?$/;

export function routeOf(pathname: string, search = ''): Route {
  const roomId = ROOM_PATH.exec(pathname)?.[1];
  if (roomId !== undefined) return { page: 'room', roomId };
  const editedId = EDIT_PATH.exec(pathname)?.[1];
  if (editedId !== undefined) return { page: 'edit-room', roomId: editedId };
  switch (pathname.replace(/(?<=.)\/$/, '')) {
    case '/':
      return { page: 'lobby' };
    case '/rooms/new':
      return { page: 'new-room' };
    case '/sign-in':
      return { page: 'sign-in', ...nextOf(search) };
    case '/sign-up':
      return { page: 'sign-up', ...nextOf(search) };
    case '/account':
      return { page: 'account' };
    case '/study':
      return { page: 'study' };
    default:
      return { page: 'unknown' };
  }
}

export function pathOf(route: Route): string {
  switch (route.page) {
    case 'room':
      return `/room/${route.roomId}`;
    case 'edit-room':
      return `/rooms/${route.roomId}/edit`;
    case 'new-room':
      return '/rooms/new';
    case 'sign-in':
    case 'sign-up':
      return `/${route.page}${route.next === undefined ? '' : `?next=${encodeURIComponent(route.next)}`}`;
    case 'account':
    case 'study':
      return `/${route.page}`;
    case 'lobby':
    case 'unknown':
      return '/';
  }
}

/** An address of ours with what is behind the `?`, such as an invite. */
export function splitPath(path: string): { pathname: string; search: string } {
  const [pathname = '/', search] = path.split('?', 2);
  return { pathname, search: search === undefined ? '' : `?${search}` };
}

/** Only to one of our own pages, and not from one door to the next. */
function nextOf(search: string): { next?: string } {
  const next = new URLSearchParams(search).get('next');
  if (next === null) return {};
  const { page } = routeOf(splitPath(next).pathname);
  return page === 'unknown' || page === 'sign-in' || page === 'sign-up' ? {} : { next };
}
