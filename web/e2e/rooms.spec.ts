/** Rooms of one's own: made, found, shared, changed and removed. */

import type { Locator, Page } from '@playwright/test';

import { PASSWORD, signUp } from './support/accounts';
import { expect, Person, test, type People } from './support/fixtures';

async function owner(people: People, name: string): Promise<Page> {
  const page = await people.visit('/');
  await signUp(page, name);
  return page;
}

/** Fills in the form and comes to the room's door. */
async function makeRoom(page: Page, name: string, fill?: () => Promise<unknown>): Promise<string> {
  await page.getByRole('link', { name: 'Make a room' }).click();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill(name);
  await fill?.();
  await page.getByRole('button', { name: 'Make the room' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
  const id = /\/room\/([a-z0-9-]+)$/.exec(page.url())?.[1];
  if (id === undefined) throw new Error(`no room at ${page.url()}`);
  return id;
}

function roomsOf(page: Page, list: 'Rooms' | 'My rooms'): Locator {
  return page.getByRole('list', { name: list, exact: true });
}

test('a room that somebody makes is found by its name, and two people meet in it', async ({ people }) => {
  const page = await owner(people, 'Ada');
  const id = await makeRoom(page, 'Linear algebra', async () => {
    await page.getByRole('textbox', { name: 'Topic' }).fill('Eigenvalues');
    await page.getByLabel('Language').selectOption('de');
    await page.getByRole('textbox', { name: 'Seats' }).fill('7');
  });
  await page.getByRole('button', { name: 'Join room' }).click();
  await expect(page.locator('li[data-participant-id]')).toHaveCount(1);

  const other = await people.visit('/');
  const search = other.getByRole('searchbox', { name: 'Search rooms' });
  await search.fill('eigen');
  await expect(roomsOf(other, 'Rooms').getByRole('listitem')).toHaveCount(1);
  const card = roomsOf(other, 'Rooms').locator(`[data-room-id="${id}"]`);
  await expect(card).toContainText('Linear algebra');
  await expect(card).toContainText('German');
  await expect(card).toContainText('1 of 7');

  await search.fill('nothing is called like that');
  await expect(other.getByText('Nothing was found')).toBeVisible();
  await other.getByRole('button', { name: 'Show all rooms' }).click();
  await expect(card).toBeVisible();
  await card.click();
  const grace = new Person(other, 'Grace');
  await grace.enter();
  await expect(grace.tiles()).toHaveCount(2);
});

test('guests are told why they make no rooms, and come back to it with an account', async ({ people }) => {
  const page = await people.visit('/');
  await page.getByRole('link', { name: 'Make a room' }).click();
  await expect(page.getByText('rooms are made with an account')).toBeVisible();
  await page.getByRole('link', { name: 'Make an account' }).click();
  await signUp(page, 'Hedy');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Make a room');
  // What the server would not take is told where it is.
  await page.getByRole('button', { name: 'Make the room' }).click();
  await expect(page.getByRole('textbox', { name: 'Name', exact: true })).toBeFocused();
  await expect(page.getByRole('alert')).toHaveText('Give the room a name.');
});

test('an invite link leads into a private room that nobody finds', async ({ people }) => {
  const page = await owner(people, 'Emmy');
  const id = await makeRoom(page, 'Only us', async () => {
    await page.getByRole('radio', { name: 'Private' }).check();
    await page.getByRole('textbox', { name: 'Password' }).fill('open sesame');
  });
  await page.goto(people.url);
  await expect(roomsOf(page, 'My rooms').locator(`[data-room-id="${id}"]`)).toContainText('Private');
  await expect(roomsOf(page, 'Rooms').locator(`[data-room-id="${id}"]`)).toHaveCount(0);
  await page.getByRole('button', { name: 'Invite to Only us' }).click();
  await page.getByRole('textbox', { name: 'People' }).fill('1');
  await page.getByRole('button', { name: 'Make an invite link' }).click();
  const link = await page.getByRole('textbox', { name: 'Invite link' }).inputValue();
  expect(link).toContain(`/room/${id}?invite=`);
  await expect(page.getByText('Lets in one person')).toBeVisible();

  const uninvited = await people.visit(`/room/${id}`);
  await expect(uninvited.getByRole('heading', { level: 1 })).toHaveText('Only us');
  await uninvited.getByLabel('Your name').fill('Mallory');
  await uninvited.getByRole('button', { name: 'Join room' }).click();
  await uninvited.getByLabel('Password of the room').fill('open barley');
  await uninvited.getByRole('button', { name: 'Join room' }).click();
  await expect(uninvited.getByRole('alert')).toContainText(/password/i);
  await expect(uninvited.getByRole('button', { name: 'Join room' })).toBeVisible();

  const path = link.slice(people.url.length);
  const guest = new Person(await people.visit(path), 'Noether');
  await guest.enter();
  const late = await people.visit(path);
  await late.getByLabel('Your name').fill('Too late');
  await late.getByRole('button', { name: 'Join room' }).click();
  await expect(late.getByRole('alert')).toBeVisible();
});

test('a room is changed and removed by who made it', async ({ people }) => {
  const page = await owner(people, 'Rosalind');
  const id = await makeRoom(page, 'Crystals');
  const watcher = await people.visit('/');
  await expect(roomsOf(watcher, 'Rooms').locator(`[data-room-id="${id}"]`)).toContainText('Crystals');

  await page.goto(people.url);
  await page.getByRole('link', { name: 'Change Crystals' }).click();
  const name = page.getByRole('textbox', { name: 'Name', exact: true });
  await expect(name).toHaveValue('Crystals');
  await name.fill('Fibres');
  await page.getByRole('checkbox', { name: 'Let guests in' }).uncheck();
  await page.getByLabel('Microphones', { exact: true }).selectOption('breaks-only');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(roomsOf(page, 'My rooms').locator(`[data-room-id="${id}"]`)).toContainText('Fibres');
  await page.getByRole('link', { name: 'Change Fibres' }).click();
  await expect(page.getByLabel('Microphones', { exact: true })).toHaveValue('breaks-only');

  await watcher.reload();
  const card = roomsOf(watcher, 'Rooms').locator(`[data-room-id="${id}"]`);
  await expect(card).toContainText('Fibres');
  await expect(card).toContainText('With an account');

  // Who has no account is told at the door what to do, and comes back to it.
  await card.click();
  await watcher.getByLabel('Your name').fill('Watson');
  await watcher.getByRole('button', { name: 'Join room' }).click();
  await expect(watcher.getByRole('alert')).toContainText('account');
  await watcher.getByRole('link', { name: 'Sign in' }).click();
  await watcher.getByRole('link', { name: 'Make one' }).click();
  await watcher.getByLabel('E-mail').fill('watson@example.org');
  await watcher.getByRole('textbox', { name: 'Password' }).fill(PASSWORD);
  await watcher.getByRole('button', { name: 'Make the account' }).click();
  await watcher.getByRole('button', { name: 'Join room' }).click();
  await expect(watcher.locator('li[data-participant-id]')).toHaveCount(1);

  // Somebody else has no business there.
  const other = await owner(people, 'Lise');
  await other.goto(`${people.url}/rooms/${id}/edit`);
  await other.getByRole('textbox', { name: 'Name', exact: true }).fill('Mine');
  await other.getByRole('button', { name: 'Save' }).click();
  await expect(other.getByRole('alert')).toContainText('Only the host');

  await page.getByRole('button', { name: 'Delete the room…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete for good' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Study together, quietly.');
  await expect(page.locator(`[data-room-id="${id}"]`)).toHaveCount(0);
});
