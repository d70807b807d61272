import { expect, it } from 'vitest';

import { forgetVisit, loadPreferences, rememberVisit, savePreferences, visitedRoom } from './preferences';

function memory(content: Record<string, string> = {}) {
  const map = new Map(Object.entries(content));
  return {
    getItem: (key: string): string | null => map.get(key) ?? null,
    setItem: (key: string, value: string): void => void map.set(key, value),
    removeItem: (key: string): void => void map.delete(key),
  };
}

it('remembers a name and devices', () => {
  const storage = memory();
  const preferences = { ...loadPreferences(storage), name: "O'Brien", camera: false, cameraId: 'c1' };
  savePreferences(storage, preferences);
  expect(loadPreferences(storage)).toEqual(preferences);
});

it.each(['', 'null', '3', '[]', '{"name":7,"camera":"yes"}', 'not json'])('starts anew from %j', (kept) => {
  expect(loadPreferences(memory({ studyhall: kept }))).toMatchObject({
    name: '',
    camera: true,
    microphone: true,
  });
});

it('works where storage is forbidden', () => {
  const refuse = (): never => {
    throw new Error('SecurityError');
  };
  const storage = { getItem: refuse, setItem: refuse, removeItem: refuse };
  savePreferences(storage, loadPreferences(storage));
  forgetVisit(storage);
  expect(visitedRoom(storage)).toBeUndefined();
});

it('remembers the room across a reload until the visit ends', () => {
  const storage = memory();
  rememberVisit(storage, 'quiet');
  expect(visitedRoom(storage)).toBe('quiet');
  forgetVisit(storage);
  expect(visitedRoom(storage)).toBeUndefined();
});
