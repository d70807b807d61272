import { expect, it } from 'vitest';

import { pathOf, routeOf } from './route';

it.each([
  ['/', { page: 'lobby' }],
  ['/room/study-room-1', { page: 'room', roomId: 'study-room-1' }],
  ['/room/study-room-1/', { page: 'room', roomId: 'study-room-1' }],
  ['/room/', { page: 'unknown' }],
  ['/room/Not_A_Slug', { page: 'unknown' }],
  [`/room/${'x'.repeat(65)}`, { page: 'unknown' }],
  ['/elsewhere', { page: 'unknown' }],
])('%s leads to the right page', (path, route) => {
  expect(routeOf(path)).toEqual(route);
});

it('finds the way back', () => {
  expect(routeOf(pathOf({ page: 'room', roomId: 'quiet' }))).toEqual({ page: 'room', roomId: 'quiet' });
  expect(routeOf(pathOf({ page: 'lobby' }))).toEqual({ page: 'lobby' });
});
