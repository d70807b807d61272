import { HD, test } from './support/fixtures';
test('debug', async ({ people }) => {
  test.setTimeout(150_000);
  const grace = await people.join('Grace', { room: 'study-room-2', picture: HD });
  const ada = await people.join('Ada', { room: 'study-room-2', picture: HD });
  await ada.page.setViewportSize({ width: 1600, height: 900 });
  ada.page.on('websocket', (ws) => ws.on('framereceived', () => undefined));
  await ada.expectToSee('Grace');
  await ada.tileOf('Grace').hover();
  await ada.press('Pin Grace');
  const cdp = await ada.page.context().newCDPSession(ada.page);
  await cdp.send('Network.enable');
  const limit = (bits: number) => cdp.send('Network.emulateNetworkConditions', { offline: false, latency: 20, downloadThroughput: bits / 8, uploadThroughput: 10e6 / 8, packetLoss: 0, packetQueueLength: 60 });
  let before = 0;
  for (let i = 0; i < 60; i++) {
    if (i === 10) await limit(2_000_000);
    if (i === 25) await limit(400_000);
    if (i === 40) await limit(2_000_000);
    await ada.page.waitForTimeout(1000);
    const r = await ada.received('Grace', 'camera');
    const bw = await ada.page.locator('.notices').innerText();
    console.log(i, r.frameWidth, 'frames', r.framesDecoded - before, 'freezes', r.freezeCount, r.totalFreezesDuration, 'lost', r.packetsLost, bw.slice(0, 30));
    before = r.framesDecoded;
  }
});
