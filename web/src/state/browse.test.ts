import { expect, it } from 'vitest';

import type { RoomInfo } from '../protocol/generated/messages';
import { initialBrowse, reduceBrowse, withOccupancy, type BrowseAction } from './browse';

function room(id: string, occupancy = 0): RoomInfo {
  return { id, name: id, topic: '', capacity: 50, occupancy } as RoomInfo;
}

function after(...actions: BrowseAction[]) {
  return actions.reduce(reduceBrowse, initialBrowse);
}

function page(query: string, ids: string[], next?: string, cursor?: string): BrowseAction {
  return { type: 'page', query, cursor, list: { rooms: ids.map((id) => room(id)), next }, atMs: 7 };
}

const ids = (rooms: readonly RoomInfo[] | undefined): string[] | undefined => rooms?.map(({ id }) => id);

it('adds page to page', () => {
  const view = after(
    { type: 'ask', query: '' },
    page('', ['a', 'b'], 'b'),
    page('', ['b', 'c'], undefined, 'b'),
  );
  expect(ids(view.rooms)).toEqual(['a', 'b', 'c']);
  expect(view.next).toBeUndefined();
});

it('forgets what was asked for before', () => {
  const view = after(
    { type: 'ask', query: 'a' },
    { type: 'ask', query: 'ab' },
    page('ab', ['ab']),
    page('a', ['a', 'ab']),
  );
  expect(ids(view.rooms)).toEqual(['ab']);
  expect(view.foundBy).toBe('ab');
});

it('takes no page twice', () => {
  const view = after(page('', ['a'], 'a'), page('', ['b'], 'b', 'a'), page('', ['b'], 'b', 'a'));
  expect(ids(view.rooms)).toEqual(['a', 'b']);
});

it('keeps what is seen until there is an answer, and when there is none', () => {
  const asked = after(page('', ['a']), { type: 'ask', query: 'x' });
  expect(ids(asked.rooms)).toEqual(['a']);
  expect(asked).toMatchObject({ pending: true, query: 'x', foundBy: '' });
  const failed = reduceBrowse(asked, { type: 'problem', query: 'x', sentence: 'No.' });
  expect(failed).toMatchObject({ pending: false, problem: 'No.' });
});

it('knows how far the server’s clock is ahead', () => {
  const timed = { ...room('a'), timer: { serverTimeMs: 1_007 } } as RoomInfo;
  expect(
    after({ type: 'page', query: '', cursor: undefined, list: { rooms: [timed] }, atMs: 7 }).skewMs,
  ).toBe(1_000);
});

it('shows how full rooms are by now', () => {
  const shown = withOccupancy([room('a'), room('b')], [room('b', 3)]);
  expect(shown.map(({ occupancy }) => occupancy)).toEqual([0, 3]);
  expect(withOccupancy([room('a', 1)], undefined)).toEqual([room('a', 1)]);
});
