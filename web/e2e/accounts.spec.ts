/** Accounts: made, used in several windows, and ended. */

import { emailOf, expectSignedIn, expectSignedOut, PASSWORD, signIn, signUp } from './support/accounts';
import { expect, test } from './support/fixtures';

test('an account is made, stays over a reload, and is there in a second window', async ({ people }) => {
  const page = await people.visit('/');
  await signUp(page, 'Ada');
  await expect(page).toHaveURL(`${people.url}/`);
  await page.reload();
  await expectSignedIn(page, 'Ada');

  const second = await people.visit('/sign-in');
  await signIn(second, 'Ada');
  await expectSignedIn(second, 'Ada');

  // Each of them ends by itself.
  await second.getByRole('link', { name: 'Your account: Ada' }).click();
  await second.getByRole('button', { name: 'Sign out' }).click();
  await expectSignedOut(second);
  await second.reload();
  await expectSignedOut(second);
  await page.reload();
  await expectSignedIn(page, 'Ada');
});

test('tabs of one browser sign in and out together, and all of them stay signed in over a reload', async ({
  people,
}) => {
  const page = await people.visit('/');
  const others = [await page.context().newPage(), await page.context().newPage()];
  for (const other of others) {
    await other.goto(people.url);
    await expectSignedOut(other);
  }
  await signUp(page, 'Grace');
  for (const other of others) await expectSignedIn(other, 'Grace');

  // All at once: the cookie of the login is used up by each of them.
  for (let round = 0; round < 3; round += 1) {
    await Promise.all([page, ...others].map((each) => each.reload()));
    for (const each of [page, ...others]) await expectSignedIn(each, 'Grace');
  }

  await page.goto(`${people.url}/account`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  for (const each of [page, ...others]) await expectSignedOut(each);
});

test('what is wrong is told in words, at the field where it is', async ({ people }) => {
  const page = await people.visit('/sign-up');
  const submit = page.getByRole('button', { name: 'Make the account' });
  await page.getByLabel('Your name').fill('Hedy');
  await submit.click();
  await expect(page.getByLabel('E-mail')).toBeFocused();
  await expect(page.getByRole('alert')).toHaveText('Enter your e-mail address, such as name@example.org.');

  await page.getByLabel('E-mail').fill(emailOf('Hedy'));
  await page.getByRole('textbox', { name: 'Password' }).fill('short');
  await submit.click();
  await expect(page.getByRole('textbox', { name: 'Password' })).toBeFocused();
  await expect(page.getByRole('alert')).toContainText('at least 10 characters');

  // What only the server knows.
  await page.getByRole('textbox', { name: 'Password' }).fill(PASSWORD);
  await page.getByText('I have the administrator’s code').click();
  await page.getByRole('textbox', { name: 'Administrator’s code' }).fill('0000-0000');
  await submit.click();
  await expect(page.getByRole('alert')).toContainText('This code is not right');
  await page.getByRole('textbox', { name: 'Administrator’s code' }).fill('');
  await submit.click();
  await expectSignedIn(page, 'Hedy');

  const second = await people.visit('/sign-in');
  await signIn(second, 'Hedy', 'another password');
  await expect(second.getByRole('alert')).toHaveText('This e-mail and this password do not belong together.');
  await signIn(second, 'Hedy');
  await expectSignedIn(second, 'Hedy');

  const third = await people.visit('/sign-up');
  await third.getByLabel('Your name').fill('Hedy');
  await third.getByLabel('E-mail').fill(emailOf('Hedy'));
  await third.getByRole('textbox', { name: 'Password' }).fill(PASSWORD);
  await third.getByRole('button', { name: 'Make the account' }).click();
  await expect(third.getByRole('alert')).toContainText('There is an account with this e-mail');
});

test('in a room one is called as one’s account, by the name it has now', async ({ people }) => {
  const page = await people.visit('/room/study-room-1');
  await page.getByRole('button', { name: 'All rooms' }).click();
  await signUp(page, 'Emmy');
  await page.getByRole('link', { name: 'Your account: Emmy' }).click();
  await page.getByRole('textbox', { name: 'Your name' }).fill('Emmy Noether');
  await page.getByLabel('Time zone').selectOption('Asia/Tokyo');
  await page.getByLabel('Sunday').check();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved.')).toBeVisible();
  await page.reload();
  await expect(page.getByLabel('Time zone')).toHaveValue('Asia/Tokyo');
  await expect(page.getByLabel('Sunday')).toBeChecked();
  await expect(page.getByLabel('Monday')).not.toBeChecked();

  await page.getByRole('link', { name: 'Studyhall, all rooms' }).click();
  await page
    .getByRole('list', { name: 'Rooms', exact: true })
    .locator('[data-room-id="study-room-1"]')
    .click();
  await expect(page.getByLabel('Your name')).toHaveValue('Emmy Noether');
  await page.getByRole('button', { name: 'Join room' }).click();
  await expect(page.locator('li[data-participant-id]').filter({ hasText: 'Emmy Noether' })).toBeVisible();
});

test('the administrator’s code makes an administrator', async ({ people, server }) => {
  const page = await people.visit('/');
  await signUp(page, 'Katherine');
  await page.goto(`${people.url}/account`);
  const code = administratorCode(server.log());
  await page.getByText('I have the administrator’s code').click();
  await page.getByLabel('Administrator’s code').fill(code);
  await page.getByRole('button', { name: 'Become administrator' }).click();
  await expect(page.getByText('Administrator', { exact: true })).toBeVisible();
});

test('an account goes with all that was stored of it', async ({ people }) => {
  const page = await people.visit('/');
  await signUp(page, 'Rosalind');
  await page.goto(`${people.url}/account`);

  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download everything' }).click(),
  ]);
  expect(download.suggestedFilename()).toBe('studyhall.json');
  expect(await textOf(download)).toContain(emailOf('Rosalind'));

  await page.getByRole('button', { name: 'Delete the account…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Delete your account?' });
  await dialog.getByRole('button', { name: 'Delete for good' }).click();
  await expect(dialog.getByRole('alert')).toContainText('Type the word delete');
  await dialog.getByRole('textbox').fill('delete');
  await dialog.getByRole('button', { name: 'Delete for good' }).click();
  await expectSignedOut(page);

  await page.goto(`${people.url}/sign-in`);
  await signIn(page, 'Rosalind');
  await expect(page.getByRole('alert')).toHaveText('This e-mail and this password do not belong together.');
});

test('a guest too can take out and remove what is stored', async ({ people }) => {
  const guest = await people.join('Dorothy', { room: 'study-room-2', camera: false, microphone: false });
  await guest.press('Leave the room');
  const { page } = guest;
  await page.goto(`${people.url}/account`);
  await expect(page.getByRole('heading', { name: 'You are a guest, Dorothy' })).toBeVisible();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download everything' }).click(),
  ]);
  expect(await textOf(download)).toContain('studySessions');
  await page.getByRole('button', { name: 'Delete what is stored…' }).click();
  await page.getByRole('dialog').getByRole('textbox').fill('delete');
  await page.getByRole('button', { name: 'Delete for good' }).click();
  await expect(page).toHaveURL(`${people.url}/`);
  await page.goto(`${people.url}/account`);
  await expect(page.getByRole('heading', { name: 'You are a guest', exact: true })).toBeVisible();
});

test('who comes back from another site’s login without being let in is told so', async ({ people }) => {
  const page = await people.visit('/?signInError=FORBIDDEN');
  await expect(page).toHaveURL(`${people.url}/sign-in`);
  await expect(page.getByRole('alert')).toHaveText('The other site did not let you in.');
});

test('back and forward lead through the pages, each with its title', async ({ people }) => {
  const page = await people.visit('/');
  await page.getByRole('link', { name: 'Time studied' }).click();
  await expect(page).toHaveTitle('Time studied · Studyhall');
  await expect(page.getByRole('heading', { level: 1 })).toBeFocused();
  await page.getByRole('link', { name: 'Sign in', exact: true }).first().click();
  await expect(page).toHaveTitle('Sign in · Studyhall');
  await page.goBack();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Time studied');
  await page.goBack();
  await expect(page).toHaveTitle('Studyhall');
  await page.goForward();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Time studied');
  // Who comes to such an address from elsewhere is as welcome.
  for (const path of [
    '/study',
    '/account',
    '/sign-in',
    '/sign-up',
    '/rooms/new',
    '/rooms/study-room-1/edit',
  ]) {
    expect((await page.goto(people.url + path))?.status(), path).toBe(200);
    await expect(page.getByRole('heading', { level: 1 }), path).not.toHaveText('There is no such page.');
  }
});

function administratorCode(log: string): string {
  const code = /becomes one: (\S+)/.exec(log)?.[1]?.replace(/\u001b.*/, '');
  if (code === undefined) throw new Error(`no code in the log:\n${log}`);
  return code;
}

async function textOf(download: { createReadStream: () => Promise<NodeJS.ReadableStream> }): Promise<string> {
  let text = '';
  for await (const chunk of await download.createReadStream()) text += String(chunk);
  return text;
}
