/** A private room is for who knows its password, once. */

import { expect, test } from './support/fixtures';
import { hostRoom } from './support/rooms';

test('the password is asked for where it is needed, and once', async ({ people }) => {
  const { roomId } = await hostRoom(people, 'Oprah', { visibility: 'private', password: 'open sesame' });
  const page = await people.open({ room: roomId, camera: false, microphone: false });
  await page.getByLabel('Your name').fill('Gustav');
  const join = page.getByRole('button', { name: 'Join room' });
  await join.click();
  await expect(page.getByRole('alert')).toContainText('This room is private');
  await page.getByLabel('Password of the room').fill('open');
  await join.click();
  await expect(page.getByRole('alert')).toContainText('not the password');
  await page.getByLabel('Password of the room').fill('open sesame');
  await join.click();
  await expect(page.locator('li[data-participant-id]')).toHaveCount(2);
  await page.getByRole('button', { name: 'Leave the room' }).click();
  await page.goto(`${people.url}/room/${roomId}`);
  await join.click();
  await expect(page.locator('li[data-participant-id]')).toHaveCount(2);
});
