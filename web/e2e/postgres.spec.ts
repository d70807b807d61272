/** The same on PostgreSQL as on the file: people, a room, what was said, the clock. */

import { expect, People, test } from './support/fixtures';
import { startPostgres, type Postgres } from './support/postgres';
import { hostRoom } from './support/rooms';
import { startServer, type Server } from './support/server';

let postgres: Postgres;
let server: Server;

test.beforeAll(async () => {
  postgres = await startPostgres();
  server = await startServer({ STUDYHALL_DATABASE_URL: postgres.url });
});

test.afterAll(async () => {
  await server.stop();
  await postgres.stop();
});

test('what was made and said on PostgreSQL is there after a restart', async ({ browser }) => {
  test.setTimeout(90_000);
  const people = new People(browser, server.url);
  const { host, roomId } = await hostRoom(people, 'Petra', { topic: "O'Brien's course" });
  const ada = await people.join('Ada', { room: roomId });
  await host.expectToSee('Ada');
  await ada.press('Chat');
  const line = ada.page.getByLabel('Message to everybody');
  await line.fill("don't panic 🎉");
  await line.press('Enter');
  await host.page.getByRole('button', { name: 'Chat, 1 new' }).click();
  await host.page.getByTestId('clock').click();
  await host.press('25 min focus, 5 min break');

  await server.stop();
  await server.start();
  for (const { page } of [host, ada]) {
    await expect(page.getByTestId('connection')).toHaveText('Connected', { timeout: 20_000 });
    await expect(page.getByTestId('clock')).toContainText('Focus');
  }
  await host.expectToSee('Ada');
  await host.press('Chat');
  await expect(host.page.getByRole('log').locator('.content')).toHaveText(["don't panic 🎉"]);
  await people.closeAll();
});
