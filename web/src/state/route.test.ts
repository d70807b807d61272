import { expect, it } from 'vitest';

import { pathOf, routeOf, splitPath, type Route } from './route';

it.each<[string, Route]>([
  ['/', { page: 'lobby' }],
  ['/room/study-room-1', { page: 'room', roomId: 'study-room-1' }],
  ['/room/study-room-1/', { page: 'room', roomId: 'study-room-1' }],
  ['/room/', { page: 'unknown' }],
  ['/room/Not_A_Slug', { page: 'unknown' }],
  [`/room/${'x'.repeat(65)}`, { page: 'unknown' }],
  ['/rooms/new', { page: 'new-room' }],
  ['/rooms/new/', { page: 'new-room' }],
  ['/rooms/quiet/edit', { page: 'edit-room', roomId: 'quiet' }],
  ['/rooms/quiet', { page: 'unknown' }],
  ['/sign-in', { page: 'sign-in' }],
  ['/sign-up', { page: 'sign-up' }],
  ['/account', { page: 'account' }],
  ['/study', { page: 'study' }],
  ['/elsewhere', { page: 'unknown' }],
  ['//', { page: 'lobby' }],
])('%s leads to the right page', (path, route) => {
  expect(routeOf(path)).toEqual(route);
});

it.each<Route>([
  { page: 'lobby' },
  { page: 'room', roomId: 'quiet' },
  { page: 'new-room' },
  { page: 'edit-room', roomId: 'quiet' },
  { page: 'sign-in' },
  { page: 'sign-up', next: '/room/quiet?invite=a%2Fb' },
  { page: 'account' },
  { page: 'study' },
])('the way back to $page is found', (route) => {
  const { pathname, search } = splitPath(pathOf(route));
  expect(routeOf(pathname, search)).toEqual(route);
});

it.each(['https://elsewhere.example/', '//elsewhere.example', '/api/auth/oidc', '/sign-in', '/nowhere', ''])(
  'signing in does not lead to %j',
  (next) => {
    expect(routeOf('/sign-in', `?next=${encodeURIComponent(next)}`)).toEqual({ page: 'sign-in' });
  },
);
