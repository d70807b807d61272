/** The clock that all in a room share. */

import type { Page } from '@playwright/test';

import { expect, test } from './support/fixtures';
import { hostRoom } from './support/rooms';

/** What the clock of a page shows, and when. */
async function shown(page: Page): Promise<{ text: string; at: number }> {
  const text = (await page.getByTestId('clock').getByRole('timer').textContent()) ?? '';
  return { text, at: Date.now() };
}

/** When the page changes to its next second, by the clock of this machine. */
function nextSecond(page: Page): Promise<number> {
  return page.getByTestId('clock').evaluate(
    (clock) =>
      new Promise<number>((resolve) => {
        const observer = new MutationObserver(() => {
          observer.disconnect();
          resolve(Date.now());
        });
        observer.observe(clock, { subtree: true, characterData: true, childList: true });
      }),
  );
}

test('one starts it, all see the same, also who comes later, reloads, or after the server was gone', async ({
  people,
  server,
}) => {
  const quiet = { room: 'study-room-1', camera: false, microphone: false };
  const ada = await people.join('Ada', quiet);
  const grace = await people.join('Grace', quiet);
  await ada.page.getByTestId('clock').click();
  await ada.press('25 min focus, 5 min break');
  for (const { page } of [ada, grace]) {
    await expect(page.getByTestId('clock')).toContainText('Focus');
    await expect(page.getByTestId('clock').getByRole('timer')).toHaveText(/^24:\d\d$/);
  }
  // Both change their seconds at the same moment.
  const [mine, hers] = await Promise.all([nextSecond(ada.page), nextSecond(grace.page)]);
  const apart = Math.abs(((mine - hers + 1_500) % 1_000) - 500);
  console.log(`the two windows' seconds are ${apart} ms apart`);
  expect(apart).toBeLessThan(300);

  const hedy = await people.join('Hedy', quiet);
  await expect(hedy.page.getByTestId('clock')).toContainText('Focus');
  await grace.page.reload();
  await expect(grace.page.getByTestId('clock')).toContainText('Focus');

  await ada.press('Pause');
  await expect(grace.page.getByTestId('clock')).toContainText('paused');
  await ada.press('Go on');
  await ada.press('Skip phase');
  await expect(grace.page.getByText('Time for a break.')).toBeVisible();
  await expect(grace.page.getByTestId('clock')).toContainText('Break');
  const before = await shown(grace.page);

  await server.kill();
  await server.start();
  await expect(grace.page.getByTestId('connection')).toHaveText('Connected', { timeout: 20_000 });
  await expect(grace.page.getByTestId('clock')).toContainText('Break');
  const after = await shown(grace.page);
  const seconds = (text: string): number => {
    const [m = 0, s = 0] = text.split(':').map(Number);
    return m * 60 + s;
  };
  const passed = (after.at - before.at) / 1_000;
  expect(Math.abs(seconds(before.text) - seconds(after.text) - passed)).toBeLessThan(2);
  await grace.page.getByTestId('clock').click();
  await grace.press('Reset');
  await expect(ada.page.getByTestId('clock')).toContainText('Clock');
});

test('phases of one’s own, and a clock that only the host controls', async ({ people }) => {
  const { host, roomId } = await hostRoom(people, 'Oda', { policy: { timerControl: 'host' } });
  const guest = await people.join('Gustav', { room: roomId, camera: false, microphone: false });
  await guest.page.getByTestId('clock').click();
  await expect(guest.page.getByText('The host and moderators control the clock')).toBeVisible();
  await expect(guest.page.getByRole('button', { name: 'Start', exact: true })).toHaveCount(0);

  await host.page.getByTestId('clock').click();
  await host.page.getByText('Phases of your own').click();
  await host.page.getByLabel('Minutes of phase 1').fill('0.05');
  await host.page.getByLabel('Minutes of phase 2').fill('60');
  await host.press('Start these');
  // Three seconds of focus, and the break begins by itself, in both windows.
  for (const { page } of [host, guest]) await expect(page.getByTestId('clock')).toContainText('Break');
});
