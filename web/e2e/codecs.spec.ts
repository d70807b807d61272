/**
 * Layers of every codec that browsers send, through the server and into another browser: whoever watches gets the size and
 * the rate that it asks for, at once, as often as it changes its mind, and without a pause.
 */

import { test, type Window } from './codecs/meeting';
import type { Picture, Received, Sent } from './codecs/page';
import { expect, expectMovement } from './support/fixtures';

/** The smallest of which Chromium makes three sizes, each twice the one below (libwebrtc `simulcast.cc`). */
const CAMERA = { width: 1024, height: 576, frameRate: 15 };
/** Pictures that are encoded while those that arrive are counted: every fourth is of the lowest rate. */
const COUNTED = 24;
/** Four pictures a second are 250 ms apart; the rest is for a busy machine. */
const LONGEST_PAUSE_MS = 1_000;
/** Key frames that a viewer asks for on a busy machine. Who cannot decode what comes asks for ten times as many. */
const MOST_PLI = 4;

interface Stream {
  mimeType: string;
  /** Layers within each RTP stream. */
  scalabilityMode: string;
  simulcast?: boolean;
}

const SIMULCAST = { scalabilityMode: 'L1T3', simulcast: true };

/** Who publishes, and who watches. */
type Pair = [Window, Window];

interface Layer {
  spatialLayer: number;
  temporalLayer: number;
}

/** As libwebrtc names what it decodes with. */
const DECODERS: Record<string, string> = {
  'video/VP8': 'libvpx',
  'video/H264': 'FFmpeg',
  'video/VP9': 'libvpx',
  'video/AV1': 'dav1d',
};

function titleOf({ mimeType, scalabilityMode, simulcast = false }: Stream): string {
  return `${mimeType.replace('video/', '')} ${simulcast ? 'simulcast' : scalabilityMode}`;
}

/** Layers within one RTP stream. */
function layersOf({ scalabilityMode }: Stream): { spatial: number; temporal: number } {
  const [, spatial, temporal] = /^L(\d)T(\d)/.exec(scalabilityMode) ?? [];
  return { spatial: Number(spatial), temporal: Number(temporal) };
}

/** Widths that can be asked for, smallest first. */
function widthsOf(stream: Stream): number[] {
  const sizes = stream.simulcast === true ? 3 : layersOf(stream).spatial;
  return Array.from({ length: sizes }, (_, index) => CAMERA.width >> (sizes - 1 - index));
}

function pictureOf({ mimeType, scalabilityMode, simulcast = false }: Stream): Picture {
  const encodings = simulcast
    ? [
        { scalabilityMode, scaleResolutionDownBy: 4, maxBitrate: 100_000 },
        { scalabilityMode, scaleResolutionDownBy: 2, maxBitrate: 250_000 },
        { scalabilityMode, scaleResolutionDownBy: 1, maxBitrate: 600_000 },
      ]
    : [{ scalabilityMode, maxBitrate: 800_000 }];
  return { mimeType, ...CAMERA, encodings };
}

async function received(viewer: Window): Promise<Received> {
  const found = await viewer.ask('received');
  if (found === undefined) throw new Error('nothing is received');
  return found;
}

/** Publishes, and waits until every stream is sent in its full size, and one arrives. */
async function publish([publisher, viewer]: Pair, stream: Stream): Promise<void> {
  const known = await publisher.ask('encoders');
  test.skip(!known.includes(stream.mimeType), `this browser does not encode ${stream.mimeType}`);
  await publisher.ask('publish', pictureOf(stream));
  const { mimeType: codec, scalabilityMode, simulcast = false } = stream;
  const named = publisher.browser === 'chromium' ? { scalabilityMode } : {};
  const sent = async (): Promise<Sent[]> =>
    (await publisher.ask('sent')).toSorted((a, b) => a.frameWidth - b.frameWidth);
  await expect.poll(sent).toMatchObject(
    widthsOf(stream)
      .slice(simulcast ? 0 : -1)
      .map((frameWidth) => ({ codec, frameWidth, ...named })),
  );
  const decoder = viewer.browser === 'chromium' ? DECODERS[codec] : '';
  await expect.poll(() => viewer.ask('received')).toMatchObject({ codec, decoder });
}

/** Asks for layers, and waits until they are what is sent and what is shown. */
async function expectSize(viewer: Window, stream: Stream, wanted: Layer): Promise<void> {
  await viewer.ask('prefer', wanted);
  const shown = async (): Promise<unknown> => {
    const { frameWidth, layers } = await received(viewer);
    return { frameWidth, spatialLayer: layers?.spatialLayer };
  };
  const { spatialLayer } = wanted;
  const frameWidth = widthsOf(stream)[spatialLayer];
  await expect.poll(shown).toEqual({ frameWidth, spatialLayer });
  expectMovement(await viewer.look());
}

/** Pictures encoded so far, each of them in all sizes. */
async function encoded(publisher: Window, stream: Stream): Promise<number> {
  const streams = await publisher.ask('sent');
  return Math.max(0, ...streams.map(({ framesEncoded }) => framesEncoded)) / layersOf(stream).spatial;
}

/** Which share of the pictures that are encoded arrives, in quarters. */
async function shareDecoded([publisher, viewer]: Pair, stream: Stream): Promise<number> {
  const [from, before] = [await encoded(publisher, stream), (await received(viewer)).framesDecoded];
  await expect.poll(() => encoded(publisher, stream)).toBeGreaterThanOrEqual(from + COUNTED);
  const [to, after] = [await encoded(publisher, stream), (await received(viewer)).framesDecoded];
  return Math.round((4 * (after - before)) / (to - from)) / 4;
}

/** Asks for layers, and waits until they are what is sent, and so many pictures arrive. */
async function expectRate(pair: Pair, stream: Stream, wanted: Layer): Promise<void> {
  const [, viewer] = pair;
  await viewer.ask('prefer', wanted);
  const rate = async (): Promise<unknown> => {
    const share = await shareDecoded(pair, stream);
    return { share, ...(await received(viewer)).layers };
  };
  const share = 0.5 ** (layersOf(stream).temporal - 1 - wanted.temporalLayer);
  await expect.poll(rate).toMatchObject({ share, ...wanted });
}

/** What was watched never stood still, and nothing had to be repaired. */
async function expectNoPause(viewer: Window): Promise<void> {
  const { longestPauseMs, pliCount } = await received(viewer);
  expect(longestPauseMs).toBeLessThan(LONGEST_PAUSE_MS);
  expect(pliCount).toBeLessThanOrEqual(MOST_PLI);
}

async function expectSizes(viewer: Window, stream: Stream): Promise<void> {
  const temporalLayer = layersOf(stream).temporal - 1;
  const top = widthsOf(stream).length - 1;
  const all = Array.from(widthsOf(stream).keys());
  for (const spatialLayer of [...all, 0, top])
    await expectSize(viewer, stream, { spatialLayer, temporalLayer });
  expect((await received(viewer)).freezeCount).toBeLessThanOrEqual(1);
  await expectNoPause(viewer);
}

const SIZES: Stream[] = [
  { mimeType: 'video/VP8', ...SIMULCAST },
  { mimeType: 'video/H264', ...SIMULCAST },
  { mimeType: 'video/VP9', scalabilityMode: 'L3T3' },
  { mimeType: 'video/VP9', scalabilityMode: 'L3T3_KEY' },
  { mimeType: 'video/AV1', ...SIMULCAST },
  { mimeType: 'video/AV1', scalabilityMode: 'L2T2' },
  { mimeType: 'video/AV1', scalabilityMode: 'L3T3_KEY' },
];
for (const stream of SIZES) {
  test(`${titleOf(stream)} comes in the size that is asked for`, async ({ meeting }) => {
    const pair: Pair = [await meeting.inChromium('Ada'), await meeting.inChromium('Grace')];
    await publish(pair, stream);
    await expectSizes(pair[1], stream);
  });
}

const RATES: Stream[] = [
  { mimeType: 'video/VP8', ...SIMULCAST },
  { mimeType: 'video/H264', ...SIMULCAST },
  { mimeType: 'video/VP9', scalabilityMode: 'L3T3_KEY' },
  { mimeType: 'video/VP9', scalabilityMode: 'L1T3' },
  { mimeType: 'video/AV1', scalabilityMode: 'L1T3' },
];
for (const stream of RATES) {
  test(`${titleOf(stream)} comes at the rate that is asked for`, async ({ meeting }) => {
    const pair: Pair = [await meeting.inChromium('Ada'), await meeting.inChromium('Grace')];
    await publish(pair, stream);
    for (const temporalLayer of [0, 1, 2]) await expectRate(pair, stream, { spatialLayer: 0, temporalLayer });
    await expectNoPause(pair[1]);
  });
}

const BOTH: Stream[] = [
  { mimeType: 'video/VP8', ...SIMULCAST },
  { mimeType: 'video/VP9', scalabilityMode: 'L3T3_KEY' },
];
for (const stream of BOTH) {
  test(`${titleOf(stream)} comes in its largest size at its lowest rate`, async ({ meeting }) => {
    const pair: Pair = [await meeting.inChromium('Ada'), await meeting.inChromium('Grace')];
    await publish(pair, stream);
    const layer = { spatialLayer: 2, temporalLayer: 0 };
    await expectRate(pair, stream, layer);
    await expectSize(pair[1], stream, layer);
    await expectNoPause(pair[1]);
  });
}

test('simulcast of Firefox comes to Chromium in the size that is asked for', async ({ meeting }) => {
  const stream = { mimeType: 'video/VP8', ...SIMULCAST };
  const pair: Pair = [await meeting.inFirefox('Ada'), await meeting.inChromium('Grace')];
  await publish(pair, stream);
  await expectSizes(pair[1], stream);
});

test('simulcast of Chromium comes to Firefox in the size that is asked for', async ({ meeting }) => {
  const stream = { mimeType: 'video/VP8', ...SIMULCAST };
  const pair: Pair = [await meeting.inChromium('Ada'), await meeting.inFirefox('Grace')];
  await publish(pair, stream);
  await expectSizes(pair[1], stream);
});
