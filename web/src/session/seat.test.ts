import { expect, it } from 'vitest';

import { seatMemory } from './seat';

function storage(initial?: string): Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> {
  let kept: string | null = initial ?? null;
  return {
    getItem: () => kept,
    setItem: (_, value) => (kept = value),
    removeItem: () => (kept = null),
  };
}

it('a seat is kept until it is forgotten', () => {
  const memory = seatMemory(storage());
  expect(memory.load()).toBeUndefined();
  const seat = { roomId: 'quiet', token: 'a', resumeToken: 'b' };
  memory.save(seat);
  expect(memory.load()).toEqual(seat);
  memory.forget();
  expect(memory.load()).toBeUndefined();
});

it('what is no seat is as if it were not there', () => {
  for (const text of [
    '',
    'x',
    '7',
    '[]',
    '{"roomId":"quiet"}',
    '{"roomId":1,"token":"a","resumeToken":"b"}',
  ]) {
    expect(seatMemory(storage(text)).load()).toBeUndefined();
  }
});

it('storage that is forbidden is no error', () => {
  const forbidden = (): never => {
    throw new Error('forbidden');
  };
  const memory = seatMemory({ getItem: forbidden, setItem: forbidden, removeItem: forbidden });
  memory.save({ roomId: 'quiet', token: 'a', resumeToken: 'b' });
  memory.forget();
  expect(memory.load()).toBeUndefined();
});
