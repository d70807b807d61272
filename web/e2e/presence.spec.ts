/** What people are at, what they want to get done, and what they feel. */

import { expect, test } from './support/fixtures';

test('a goal that is told at the door is seen by the others', async ({ people }) => {
  const quiet = { room: 'study-room-2', camera: false, microphone: false };
  const ada = await people.join('Ada', quiet);
  const page = await people.open(quiet);
  await page.getByLabel('What do you want to get done?').fill("Don't be late");
  await page.getByLabel('Your name').fill('Grace');
  await page.getByRole('button', { name: 'Join room' }).click();
  await ada.press('People');
  await expect(ada.page.getByRole('list', { name: 'The others here' })).toContainText("Don't be late");
});

test('status, goal, hand and reactions are seen by the others and survive a reload', async ({ people }) => {
  const quiet = { room: 'study-room-1', camera: false, microphone: false };
  const ada = await people.join('Ada', quiet);
  const grace = await people.join('Grace', quiet);
  await ada.press('People');
  await ada.page.getByLabel('You are').selectOption('Do not disturb');
  await ada.page.getByLabel('What do you want to get done?').fill("Read O'Brien, chapter 3");
  await ada.page.getByRole('button', { name: 'Set', exact: true }).click();
  await ada.press('Raise your hand');

  await grace.press('People');
  const row = grace.page.getByRole('list', { name: 'The others here' }).getByRole('listitem');
  await expect(row).toContainText('Do not disturb');
  await expect(row).toContainText("Read O'Brien, chapter 3");
  await expect(row).toContainText('raised a hand');
  await expect(grace.tileOf('Ada')).toContainText('Do not disturb');

  await ada.page.getByRole('checkbox', { name: "Read O'Brien, chapter 3" }).click();
  await ada.page.getByLabel(/What came of it/).fill('All of it.');
  await ada.page.getByRole('button', { name: 'Done', exact: true }).click();
  await expect(row).toContainText("✓ Read O'Brien, chapter 3");
  await ada.press('Lower your hand');
  await expect(row).not.toContainText('raised a hand');

  await ada.press('React');
  await ada.press('React with 🎉');
  await expect(grace.tileOf('Ada').locator('.reaction')).toHaveText('🎉');
  await expect(grace.tileOf('Ada').locator('.reaction')).toHaveCount(0);

  await ada.page.reload();
  await expect(ada.tileOf('Grace')).toBeVisible();
  await ada.press('People');
  await expect(ada.page.getByLabel('You are')).toHaveValue('dnd');
  await expect(row).toContainText("✓ Read O'Brien, chapter 3");
});
