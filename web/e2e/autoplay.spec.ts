/** A browser that plays no sound before the page was clicked, as browsers do for people who come for the first time. */

import type { BrowserContext } from '@playwright/test';

import { expect, test } from './support/fixtures';

const ROOM = 'study-room-1';

// Recording looks into the page, and that counts as a click.
test.use({ trace: 'off' });

test('sound that the browser holds back comes with a click', async ({ people }) => {
  await people.join('Grace', { room: ROOM });

  // Looking into a page counts as a click in it: until the sound was refused, the test must only listen.
  let refuse = (): void => undefined;
  const refused = new Promise<void>((resolve) => (refuse = resolve));
  const before = async (context: BrowserContext): Promise<void> => {
    await context.exposeFunction('reportRefusal', () => refuse());
    await context.addInitScript((room) => {
      localStorage.setItem('studyhall', JSON.stringify({ name: 'Ada', camera: false, microphone: false }));
      sessionStorage.setItem('studyhall.visit', JSON.stringify({ roomId: room }));
      const original = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'play');
      const play = original?.value as (this: HTMLMediaElement) => Promise<void>;
      HTMLMediaElement.prototype.play = async function (this: HTMLMediaElement) {
        try {
          await play.call(this);
        } catch (error) {
          (window as unknown as { reportRefusal: () => void }).reportRefusal();
          throw error;
        }
      };
    }, ROOM);
  };
  // Back in the seat by a reload, and so without a click on the way.
  const page = await people.open({ room: ROOM, before });
  await page.reload();
  await refused;

  const hear = page.getByRole('button', { name: 'Click to hear' });
  await expect(hear).toBeVisible();
  await hear.click();
  await expect(hear).toHaveCount(0);
  const energy = (): Promise<number> =>
    page.evaluate(async () => {
      const report = await window.__studyhall?.stats();
      return report?.inbound.find(({ source }) => source === 'mic')?.totalAudioEnergy ?? 0;
    });
  await expect.poll(energy).toBeGreaterThan(0);
});
