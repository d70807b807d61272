/** What is said in a room. */

import { expect, test } from './support/fixtures';
import { hostRoom } from './support/rooms';

const SAID = [
  "don't",
  "O'Brien",
  '👩‍👩‍👧 🎉',
  'مرحبا بالعالم',
  '<script>document.title = "x"</script><b>bold</b>',
  'two\nlines',
];

test('what is said is shown as typed, to all and to who comes later', async ({ people }) => {
  const quiet = { room: 'study-room-1', camera: false, microphone: false };
  const ada = await people.join('Ada', quiet);
  const grace = await people.join('Grace', quiet);
  await ada.press('Chat');
  const line = ada.page.getByLabel('Message to everybody');
  for (const text of SAID) {
    await line.fill(text);
    await line.press('Enter');
    await expect(line).toHaveValue('');
  }
  await grace.page.getByRole('button', { name: `Chat, ${SAID.length} new` }).click();
  const hedy = await people.join('Hedy', quiet);
  await hedy.press('Chat');
  for (const { page } of [ada, grace, hedy]) {
    const messages = page.getByRole('log').locator('.content');
    await expect(messages).toHaveCount(SAID.length);
    expect(await messages.evaluateAll((all) => all.map((each) => each.textContent))).toEqual(SAID);
    await expect(page.getByRole('log').locator('b, script')).toHaveCount(0);
  }
  // Right to left where it is.
  const direction = (text: string): Promise<string> =>
    grace.page
      .locator('.content', { hasText: text })
      .evaluate((element) => getComputedStyle(element).direction);
  expect(await direction('مرحبا')).toBe('rtl');
  expect(await direction("O'Brien")).toBe('ltr');
});

test('too much is told and not lost, and a host clears the chat', async ({ people }) => {
  const { host, roomId } = await hostRoom(people, 'Olga', { policy: { slowModeSeconds: 600 } });
  const guest = await people.join('Gustav', { room: roomId, camera: false, microphone: false });
  await guest.press('Chat');
  const line = guest.page.getByLabel('Message to everybody');
  await line.fill('first');
  await line.press('Enter');
  await expect(guest.page.getByRole('log').locator('.content')).toHaveText(['first']);
  await line.fill('second, too soon');
  await line.press('Enter');
  await expect(guest.page.getByRole('alert')).toContainText('Too many');
  await expect(line).toHaveValue('second, too soon');
  await line.fill('x'.repeat(1_001));
  await expect(guest.page.getByText('-1 characters left')).toBeVisible();
  await expect(guest.page.getByRole('button', { name: 'Send', exact: true })).toBeDisabled();

  await host.page.getByRole('button', { name: 'Chat, 1 new' }).click();
  await host.press('Clear chat');
  await host.page.getByRole('button', { name: 'Remove', exact: true }).click();
  for (const { page } of [host, guest]) await expect(page.getByText('Nothing was said yet.')).toBeVisible();
});
