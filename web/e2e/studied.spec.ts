/** Time studied: counted in a room, seen on its page, taken along by a guest who makes an account. */

import type { Locator, Page } from '@playwright/test';

import { signUp } from './support/accounts';
import { expect, Person, test } from './support/fixtures';

/** The server keeps no visit of less than a minute, so this is how long people sit here, and all is looked at after it. */
const COUNTED_WITHIN_MS = 80_000;
/** On a busy machine it takes longer to look. */
const SOME_MINUTES = /^[12] min$/;
const SOME_MINUTES_AMONG = /[12] min/;

function sum(page: Page, name: string): Locator {
  return page.locator('dl > div').filter({ hasText: name }).locator('dd');
}

async function sit(page: Page, name: string): Promise<Person> {
  const person = new Person(page, name);
  await page
    .getByRole('list', { name: 'Rooms', exact: true })
    .getByText('Study Room 1', { exact: true })
    .click();
  await page.getByLabel('Your name').fill(name);
  await page.getByRole('button', { name: 'Join room' }).click();
  await expect(person.tileOf(name)).toBeVisible();
  return person;
}

test('two people study; each sees how long, and a guest takes it along into an account', async ({
  people,
}) => {
  test.setTimeout(120_000);
  const page = await people.visit('/');
  await signUp(page, 'Ada');
  await page
    .getByRole('list', { name: 'Rooms', exact: true })
    .getByText('Study Room 1', { exact: true })
    .click();
  await page.getByRole('button', { name: 'Join room' }).click();
  const guest = await people.visit('/');
  const grace = await sit(guest, 'Grace');
  await expect(grace.tiles()).toHaveCount(2);

  // Grace came last: what is counted of her is counted of Ada too.
  const watched = await guest.context().newPage();
  await watched.goto(`${people.url}/study`);
  await expect(sum(watched, 'Today')).toHaveText('0 min');
  await expect(async () => {
    await watched.reload();
    await expect(sum(watched, 'Today')).toHaveText(SOME_MINUTES, { timeout: 2_000 });
  }).toPass({ timeout: COUNTED_WITHIN_MS, intervals: [5_000, 5_000, 5_000, 2_000] });
  await watched.close();

  const study = await page.context().newPage();
  await study.goto(`${people.url}/study`);
  await expect(sum(study, 'Today')).toHaveText(SOME_MINUTES);
  for (const name of ['This week', 'This month']) await expect(sum(study, name)).toHaveText(SOME_MINUTES);
  await expect(sum(study, 'Days in a row')).toContainText('1 day');

  await test.step('as a table, a list and a file', async () => {
    await study.getByText('As a table').click();
    await expect(study.getByRole('region', { name: 'Over time' }).getByRole('row').nth(1)).toContainText(
      SOME_MINUTES_AMONG,
    );
    await study.getByText('Months', { exact: true }).click();
    await expect(study.getByRole('region', { name: 'Over time' }).getByRole('row').nth(1)).toContainText(
      SOME_MINUTES_AMONG,
    );
    await expect(study.getByRole('region', { name: 'Visits' }).getByRole('row').nth(1)).toContainText(
      'Study Room 1',
    );
    const [download] = await Promise.all([
      study.waitForEvent('download'),
      study.getByRole('button', { name: 'Download as CSV' }).click(),
    ]);
    let text = '';
    for await (const chunk of await download.createReadStream()) text += String(chunk);
    expect(text).toMatch(/^started,ended,seconds,kind,room,session\r\n.*,free,Study Room 1,/);
  });

  await test.step('a leaderboard shows who wants it, and nobody else', async () => {
    const board = study.getByRole('region', { name: 'Leaderboard' });
    await expect(board).toContainText('Nobody who takes part');
    await board.getByRole('button', { name: 'Take part' }).click();
    await expect(board.getByRole('row').nth(1)).toContainText('Ada (you)');
    await board.getByLabel('Room').selectOption('Study Room 2');
    await expect(board).toContainText('Nobody who takes part');
    await board.getByLabel('Room').selectOption('Study Room 1');
    await expect(board.getByRole('row')).toHaveCount(2);
  });

  await test.step('a guest sees what is theirs, and takes it along', async () => {
    await grace.press('Leave the room');
    await guest.getByRole('link', { name: 'Time studied' }).click();
    await expect(guest.getByText('as the guest Grace')).toBeVisible();
    await expect(sum(guest, 'Today')).toHaveText(SOME_MINUTES);
    await expect(guest.getByRole('region', { name: 'Leaderboard' }).getByRole('row')).toHaveCount(2);
    await guest.getByRole('link', { name: 'Make an account' }).click();
    await signUp(guest, 'Grace');
    const offer = guest.getByRole('dialog', { name: 'Take over what you studied as a guest?' });
    await expect(offer).toContainText('min as a guest (Grace)');
    await offer.getByRole('button', { name: 'Take it over' }).click();
    await expect(offer).toHaveCount(0);
    await guest.reload();
    await expect(guest.getByRole('heading', { level: 1 })).toHaveText('Time studied');
    await expect(sum(guest, 'Today')).toHaveText(SOME_MINUTES);
    await expect(guest.getByRole('region', { name: 'Leaderboard' })).toContainText('Ada');
    await expect(guest.getByRole('region', { name: 'Leaderboard' })).not.toContainText('Grace');
  });

  await test.step('it can be undone', async () => {
    const board = study.getByRole('region', { name: 'Leaderboard' });
    await board.getByRole('button', { name: 'Stop taking part' }).click();
    await expect(board).toContainText('Nobody who takes part');
  });
});
