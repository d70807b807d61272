import { describe, expect, it } from 'vitest';

import type { RoomInfo } from '../protocol/generated/messages';
import { changeOf, checkRoom, creationOf, EMPTY_ROOM, formOf, languageName, languages } from './room-form';

const ROOM: RoomInfo = {
  id: 'quiet',
  name: 'Quiet',
  topic: 'Maths',
  language: 'de',
  visibility: 'public',
  capacity: 20,
  occupancy: 3,
  locked: false,
  policy: {
    mics: 'open',
    camera: 'optional',
    chat: 'open',
    timerControl: 'everyone',
    guests: true,
    waitingRoom: false,
    loudest: null,
    slowModeSeconds: 0,
  },
};

const typed = { ...EMPTY_ROOM, name: ' Quiet ' };

describe('what is wrong', () => {
  it.each([
    [{ name: '  ' }, 'name'],
    [{ name: 'x'.repeat(81) }, 'name'],
    [{ topic: 'x'.repeat(201) }, 'topic'],
    [{ capacity: '0' }, 'capacity'],
    [{ capacity: '2.5' }, 'capacity'],
    [{ capacity: 'many' }, 'capacity'],
    [{ loudest: '-1' }, 'loudest'],
    [{ visibility: 'private' as const, password: 'abc' }, 'password'],
    [{ visibility: 'private' as const, password: 'x'.repeat(201) }, 'password'],
  ])('%j', (change, field) => {
    expect(checkRoom({ ...typed, ...change })?.field).toBe(field);
  });

  it.each([
    {},
    { capacity: '1', loudest: '0' },
    { visibility: 'private' as const },
    { visibility: 'private' as const, password: 'abcd' },
    { password: 'abc' },
  ])('nothing: %j', (change) => {
    expect(checkRoom({ ...typed, ...change })).toBeUndefined();
  });

  it('a room that is there has a number of seats', () => {
    expect(checkRoom({ ...formOf(ROOM), capacity: '' }, ROOM)?.field).toBe('capacity');
  });
});

describe('a new room', () => {
  it('leaves out what was not said', () => {
    expect(creationOf(typed)).toEqual({
      name: 'Quiet',
      topic: '',
      visibility: 'public',
      policy: {
        mics: 'open',
        camera: 'optional',
        chat: 'open',
        timerControl: 'everyone',
        guests: true,
        waitingRoom: false,
        slowModeSeconds: 0,
      },
    });
  });

  it('has a password only where it is private', () => {
    expect(creationOf({ ...typed, password: 'abcd' })).not.toHaveProperty('password');
    expect(creationOf({ ...typed, visibility: 'private', password: 'abcd' })).toMatchObject({
      visibility: 'private',
      password: 'abcd',
    });
  });
});

describe('a change', () => {
  it('is empty where nothing was changed', () => {
    expect(changeOf(formOf(ROOM), ROOM)).toEqual({});
  });

  it('says only what is different', () => {
    const form = {
      ...formOf(ROOM),
      topic: 'Physics ',
      capacity: '30',
      mics: 'closed' as const,
      loudest: '3',
    };
    expect(changeOf(form, ROOM)).toEqual({
      topic: 'Physics',
      capacity: 30,
      policy: { mics: 'closed', loudest: 3 },
    });
  });

  it('takes the password away when that is asked for, and keeps it otherwise', () => {
    const room: RoomInfo = { ...ROOM, visibility: 'private' };
    expect(changeOf({ ...formOf(room), withoutPassword: true, password: 'abcd' }, room)).toEqual({
      password: null,
    });
    expect(changeOf({ ...formOf(room), password: 'abcd' }, room)).toEqual({ password: 'abcd' });
    expect(changeOf({ ...formOf(room), password: '' }, room)).toEqual({});
  });
});

describe('languages', () => {
  it('have names, in order, with the one that the room has', () => {
    const names = languages('tlh', 'en');
    expect(names.map(({ name }) => name)).toEqual(names.map(({ name }) => name).toSorted());
    expect(names).toContainEqual({ code: 'de', name: 'German' });
    expect(names.some(({ code }) => code === 'tlh')).toBe(true);
  });

  it('are called by their code where it is no language', () => {
    expect(languageName('not a code')).toBe('not a code');
  });
});
