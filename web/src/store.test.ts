import { expect, it } from 'vitest';

import { createCell, createStore } from './store';

it('tells the value at once and after every change, until the watcher has enough', () => {
  const store = createStore(1, (state: number, add: number) => state + add);
  const seen: number[] = [];
  const end = store.subscribe((value) => seen.push(value));
  store.dispatch(2);
  end();
  store.dispatch(4);
  expect(seen).toEqual([1, 3]);
  expect(store.get()).toBe(7);
});

it('is silent when nothing changes', () => {
  const cell = createCell('a');
  const seen: string[] = [];
  cell.subscribe((value) => seen.push(value));
  cell.set('a');
  expect(seen).toEqual(['a']);
});
