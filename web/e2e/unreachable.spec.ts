/** A server whose media address nobody can reach, as behind a firewall. */

import { expect, test } from './support/fixtures';

// RFC 5737: an address for documentation, from which no answer ever comes.
test.use({ settings: { MEDIASOUP_ANNOUNCED_IP: '203.0.113.1' } });

test('media that cannot connect say why, and what to do', async ({ people }) => {
  const ada = await people.join('Ada', { room: 'study-room-1' });
  const alert = ada.page.getByRole('alert');
  await expect(alert).toContainText('Video and sound cannot connect', { timeout: 30_000 });
  await expect(alert).toContainText('203.0.113.1 (UDP port');
  await expect(alert).toContainText('Try another network');
  await expect(alert.getByRole('button', { name: 'Try again' })).toBeVisible();
  // The room itself goes on.
  await expect(ada.tiles()).toHaveCount(1);
});
