/** Rooms that somebody makes for a test, with their host in them. */

import { randomUUID } from 'node:crypto';

import { expect, Person, type People } from './fixtures';
import { emailOf, PASSWORD, signUp } from './accounts';

export interface Hosted {
  host: Person;
  roomId: string;
}

/** Somebody who made an account and a room, and sits in it. */
export async function hostRoom(people: People, name: string, room: Record<string, unknown>): Promise<Hosted> {
  const page = await people.visit('/');
  await signUp(page, name);
  const login = await page.request.post(`${people.url}/api/auth/login`, {
    data: { email: emailOf(name), password: PASSWORD },
  });
  const { token } = (await login.json()) as { token: string };
  const made = await page.request.post(`${people.url}/api/rooms`, {
    headers: { authorization: `Bearer ${token}` },
    // Tests of the lobby count the rooms that it lists.
    data: { name: `Room ${randomUUID().slice(0, 8)}`, visibility: 'unlisted', ...room },
  });
  expect(made.status()).toBe(201);
  const { id } = (await made.json()) as { id: string };
  await page.goto(`${people.url}/room/${id}`);
  const host = new Person(page, name);
  await page.getByRole('button', { name: 'Join room' }).click();
  await expect(host.tileOf(name)).toBeVisible();
  return { host, roomId: id };
}
