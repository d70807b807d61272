/** Who keeps order: what a host does is done, in the media too, and survives a rejoin. */

import { expect, test } from './support/fixtures';
import { hostRoom } from './support/rooms';

test('mute, stop, send out, ban and unban', async ({ people }) => {
  const { host, roomId } = await hostRoom(people, 'Olaf', {});
  const mallory = await people.join('Mallory', { room: roomId });
  await host.expectToSee('Mallory');
  await host.expectToHear('Mallory');
  await host.press('People');
  const choose = async (action: string): Promise<void> => {
    await host.press('Actions for Mallory');
    await host.page.getByRole('dialog').getByRole('button', { name: action }).click();
  };
  const mic = mallory.page.getByRole('button', { name: 'Turn microphone on' });

  await choose('Mute microphone');
  await expect(mallory.page.getByText('Your microphone was muted (by Olaf).')).toBeVisible();
  await expect(mic).toBeVisible();
  await expect(host.tileOf('Mallory')).toHaveAttribute('aria-label', /microphone off/);
  // They may speak again, if they want to.
  await mic.click();
  await expect(host.tileOf('Mallory')).toHaveAttribute('aria-label', /microphone on/);

  await choose('Turn camera off');
  await expect(mallory.page.getByRole('button', { name: 'Turn camera on' })).toBeVisible();
  await expect(host.tileOf('Mallory')).toHaveAttribute('aria-label', /camera off/);
  await mallory.press('Turn camera on');
  await host.expectToSee('Mallory');

  await choose('Ban…');
  await host.page.getByLabel(/^Why\?/).fill('Loud music');
  await host.page.getByRole('dialog').getByRole('button', { name: 'Ban', exact: true }).click();
  await expect(mallory.page.getByRole('alert')).toContainText('Loud music');
  await expect(host.tileOf('Mallory')).toHaveCount(0);
  await mallory.press('Join room');
  await expect(mallory.page.getByRole('alert')).toContainText('not allowed into this room');

  await host.press('Room settings');
  await host.page.getByRole('tab', { name: 'Bans' }).click();
  await host.press('Unban Mallory');
  await expect(host.page.getByText('Nobody is banned.')).toBeVisible();
  await mallory.press('Join room');
  await expect(mallory.tileOf('Olaf')).toBeVisible();
});

test('when focus begins microphones are paused, and open in the break', async ({ people }) => {
  const { host, roomId } = await hostRoom(people, 'Oskar', { policy: { mics: 'breaks-only' } });
  const ada = await people.join('Ada', { room: roomId });
  await host.expectToHear('Ada');
  await host.page.getByTestId('clock').click();
  await host.press('25 min focus, 5 min break');
  const closed = ada.page.getByRole('button', { name: 'Microphones open in the break' });
  await expect(closed).toBeDisabled();
  await expect(host.tileOf('Ada')).toHaveAttribute('aria-label', /microphone off/);
  // Who comes now is silent too.
  const hedy = await people.join('Hedy', { room: roomId });
  await expect(hedy.page.getByRole('button', { name: 'Microphones open in the break' })).toBeDisabled();
  await expect(host.tileOf('Hedy')).toHaveAttribute('aria-label', /microphone off/);
  await host.press('Skip phase');
  await ada.press('Turn microphone on');
  await expect(host.tileOf('Ada')).toHaveAttribute('aria-label', /microphone on/);
  await host.expectToHear('Ada');
});

test('a waiting room, a report, and a lock', async ({ people }) => {
  const { host, roomId } = await hostRoom(people, 'Otto', { policy: { waitingRoom: true } });
  const waiting = await people.open({ room: roomId, camera: false, microphone: false });
  await waiting.getByLabel('Your name').fill('Wanda');
  await waiting.getByRole('button', { name: 'Join room' }).click();
  await expect(waiting.getByRole('heading', { name: 'Waiting to be let in' })).toBeVisible();
  await host.page.getByRole('button', { name: 'People, 1 waiting' }).click();
  await host.press('Let in Wanda');
  await expect(waiting.locator('li[data-participant-id]')).toHaveCount(2);

  await waiting.getByRole('button', { name: 'People', exact: true }).click();
  await waiting.getByRole('button', { name: 'Actions for Otto' }).click();
  await waiting.getByRole('button', { name: 'Report…' }).click();
  await waiting.getByLabel('What did they do?').fill('Nothing, really');
  await waiting.getByRole('dialog').getByRole('button', { name: 'Report', exact: true }).click();
  await expect(waiting.getByText('You reported Otto.')).toBeVisible();

  await host.press('Room settings');
  await host.page.getByRole('tab', { name: 'Reports' }).click();
  await expect(host.page.getByText('Nothing, really')).toBeVisible();
  await host.page.getByRole('dialog').getByRole('button', { name: 'Done' }).click();
  await expect(host.page.getByText(/· done /)).toBeVisible();
});
