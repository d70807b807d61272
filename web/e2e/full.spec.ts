/** A room with two seats. */

import { expect, test } from './support/fixtures';

test.use({ settings: { STUDYHALL_ROOM_CAPACITY: '2' } });

test('who finds the room full is told so, and gets in when somebody leaves', async ({ people }) => {
  const off = { room: 'study-room-1', camera: false, microphone: false };
  const ada = await people.join('Ada', off);
  await people.join('Grace', off);
  const page = await people.open(off);
  await page.getByLabel('Your name').fill('Hedy');
  await page.getByRole('button', { name: 'Join room' }).click();
  await expect(page.getByRole('alert')).toContainText(/full|seat/i);
  await expect(page.getByRole('alert')).not.toContainText('ROOM_FULL');
  await ada.press('Leave the room');
  await page.getByRole('button', { name: 'Join room' }).click();
  await expect(page.locator('li[data-participant-id]')).toHaveCount(2);
});
