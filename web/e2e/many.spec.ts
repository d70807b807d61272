/** A server with more rooms than fit on a page, and with another site's login. */

import { expect, test } from './support/fixtures';

test.use({
  settings: {
    STUDYHALL_ROOMS: '60',
    STUDYHALL_OIDC_ISSUER: 'https://login.example.org',
    STUDYHALL_OIDC_CLIENT_ID: 'studyhall',
    STUDYHALL_OIDC_CLIENT_SECRET: 'a secret that is long enough',
  },
});

test('many rooms come page by page, and are searched through all together', async ({ people }) => {
  const page = await people.visit('/');
  const rooms = page.getByRole('list', { name: 'Rooms', exact: true }).getByRole('listitem');
  const more = page.getByRole('button', { name: 'More rooms' });
  await expect(more).toBeVisible();
  await expect(rooms).toHaveCount(50);
  await more.click();
  await expect(rooms).toHaveCount(60);
  await expect(more).toHaveCount(0);

  await page.getByRole('searchbox', { name: 'Search rooms' }).fill('room 5');
  await expect(rooms).toHaveCount(11);
  await expect(page.getByRole('status').filter({ hasText: '11 rooms' })).toBeVisible();
  await page.getByRole('searchbox', { name: 'Search rooms' }).fill('');
  await expect(rooms).toHaveCount(50);
});

test('where another site’s login is good, it is offered', async ({ people }) => {
  const page = await people.visit('/sign-in');
  const link = page.getByRole('link', { name: 'Continue with single sign-on' });
  await expect(link).toHaveAttribute('href', '/api/auth/oidc');
  await page.getByRole('link', { name: 'Make one' }).click();
  await expect(link).toBeVisible();
});
