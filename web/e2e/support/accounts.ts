/** Accounts as people make and use them: by the page. */

import { expect, test, type Page } from '@playwright/test';

export const PASSWORD = 'a few words in a row';

/** Of this test alone: others have people of the same name on the same server. */
export function emailOf(name: string): string {
  return `${name.toLowerCase()}.${test.info().testId.slice(-8)}@example.org`;
}

/** Makes an account from whatever page is shown, and comes to the lobby or to where they were going. */
export async function signUp(page: Page, name: string): Promise<void> {
  if (!new URL(page.url()).pathname.startsWith('/sign-up')) {
    await page.getByRole('link', { name: 'Sign in' }).first().click();
    await page.getByRole('link', { name: 'Make one' }).click();
  }
  await page.getByLabel('Your name').fill(name);
  await page.getByLabel('E-mail').fill(emailOf(name));
  await page.getByRole('textbox', { name: 'Password' }).fill(PASSWORD);
  await page.getByRole('button', { name: 'Make the account' }).click();
  await expectSignedIn(page, name);
}

export async function signIn(page: Page, name: string, password = PASSWORD): Promise<void> {
  await page.getByLabel('E-mail').fill(emailOf(name));
  await page.getByRole('textbox', { name: 'Password' }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

export async function expectSignedIn(page: Page, name: string): Promise<void> {
  await expect(page.getByRole('link', { name: `Your account: ${name}` })).toBeVisible();
}

export async function expectSignedOut(page: Page): Promise<void> {
  await expect(page.getByRole('navigation').getByRole('link', { name: 'Sign in' })).toBeVisible();
}
