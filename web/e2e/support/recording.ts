/** What a person saw and was told while a test went on: every picture with its time, and what the server said of the link. */

import type { BrowserContext, Locator, Page } from '@playwright/test';

import type { RoomEvents } from '../../src/protocol/generated/messages';

export interface Frame {
  /** Wall clock, milliseconds. */
  atMs: number;
  /** Frames that were shown up to this one; some pass unseen while the page is busy. */
  shown: number;
  width: number;
  hash: number;
}

/** A time in which the picture stood still. */
export interface Still {
  fromMs: number;
  lengthMs: number;
}

declare global {
  interface Window {
    recordedFrames?: Frame[];
    connections?: RTCPeerConnection[];
  }
}

/** Notes every frame that an element shows, from now on. */
export function recordFrames(video: Locator): Promise<void> {
  return video.evaluate((element) => {
    const player = element as HTMLVideoElement;
    const frames: Frame[] = [];
    window.recordedFrames = frames;
    const canvas = new OffscreenCanvas(64, 36);
    const drawing = canvas.getContext('2d', { willReadFrequently: true });
    if (drawing === null) throw new Error('no canvas');
    const note: VideoFrameRequestCallback = (_, { presentationTime, presentedFrames, width }) => {
      player.requestVideoFrameCallback(note);
      drawing.drawImage(player, 0, 0, canvas.width, canvas.height);
      let hash = 2_166_136_261;
      for (const value of drawing.getImageData(0, 0, canvas.width, canvas.height).data) {
        hash = Math.imul(hash ^ value, 16_777_619);
      }
      frames.push({ atMs: performance.timeOrigin + presentationTime, shown: presentedFrames, width, hash });
    };
    player.requestVideoFrameCallback(note);
  });
}

export function recordedFrames(page: Page): Promise<Frame[]> {
  return page.evaluate(() => window.recordedFrames ?? []);
}

/**
 * How long the picture stood still within a span of time, longest first. A frame like the one before it is no picture
 * that moves. Where some passed unseen they count as evenly spread: the page was late, and not the picture.
 */
export function stills(frames: readonly Frame[], fromMs: number, toMs: number): Still[] {
  const found: Still[] = [];
  let moved: Pick<Frame, 'atMs' | 'shown' | 'hash'> | undefined;
  for (const frame of frames) {
    if (frame.atMs > toMs) break;
    if (frame.hash === moved?.hash) continue;
    if (frame.atMs >= fromMs) {
      const since = Math.max(moved?.atMs ?? 0, fromMs);
      const steps = Math.max(frame.shown - (moved?.shown ?? frame.shown), 1);
      found.push({ fromMs: since, lengthMs: (frame.atMs - since) / steps });
    }
    moved = frame;
  }
  const last = Math.max(moved?.atMs ?? 0, fromMs);
  found.push({ fromMs: last, lengthMs: toMs - last });
  return found.toSorted((a, b) => b.lengthMs - a.lengthMs);
}

type Told = 'bandwidth' | 'consumer-layers';

/** What the server told a window of its link, oldest first. */
export class Notes {
  readonly #notes: { name: Told; atMs: number; event: unknown }[] = [];

  /** To be called before there is a page. */
  listen(context: BrowserContext): void {
    context.on('page', (page) => {
      page.on('websocket', (socket) => {
        socket.on('framereceived', ({ payload }) => this.#note(payload.toString()));
      });
    });
  }

  of<N extends Told>(name: N): (RoomEvents[N] & { atMs: number })[] {
    return this.#notes
      .filter((note) => note.name === name)
      .map(({ event, atMs }) => ({ ...(event as RoomEvents[N]), atMs }));
  }

  /** An event in the manner of Socket.IO: `42/room,["name",{...}]`. */
  #note(packet: string): void {
    const [, name, event] = /^42\/room,\["(bandwidth|consumer-layers)",(.*)\]$/.exec(packet) ?? [];
    if (name === undefined || event === undefined) return;
    this.#notes.push({ name: name as Told, atMs: Date.now(), event: JSON.parse(event) });
  }
}

/** Keeps the page's connections, for what the client's own report leaves out. To be called before there is a page. */
export function keepConnections(context: BrowserContext): Promise<unknown> {
  return context.addInitScript(() => {
    const kept: RTCPeerConnection[] = [];
    window.connections = kept;
    window.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(configuration?: RTCConfiguration) {
        super(configuration);
        kept.push(this);
      }
    };
  });
}

/** The one sound that a page receives (W3C webrtc-stats), in samples, since it began. */
export interface Sound {
  played: number;
  /** Made up, because what should have been played was not there; without what was silence anyway. */
  concealed: number;
  packets: number;
  codec: string;
}

export async function soundOf(page: Page): Promise<Sound> {
  const sounds = await page.evaluate(async () => {
    const reports = await Promise.all((window.connections ?? []).map((each) => each.getStats()));
    return reports.flatMap((report) => {
      const entries = [...(report as unknown as ReadonlyMap<string, Record<string, unknown>>).values()];
      return entries
        .filter((entry) => entry['type'] === 'inbound-rtp' && entry['kind'] === 'audio')
        .map((entry) => ({
          ...entry,
          codec: entries.find(({ id }) => id === entry['codecId'])?.['mimeType'],
        }));
    });
  });
  const [sound] = sounds as Record<string, unknown>[];
  if (sound === undefined) throw new Error('no sound is received');
  const count = (name: string): number => Number(sound[name] ?? 0);
  return {
    played: count('totalSamplesReceived'),
    concealed: count('concealedSamples') - count('silentConcealedSamples'),
    packets: count('packetsReceived'),
    codec: String(sound['codec']),
  };
}

/** The payload type under which a page receives a codec of sound. */
export async function payloadTypeOf(page: Page, codec: string): Promise<number> {
  const descriptions = await page.evaluate(() =>
    (window.connections ?? []).map(({ remoteDescription }) => remoteDescription?.sdp ?? ''),
  );
  const sound = descriptions
    .flatMap((sdp) => sdp.split(/^(?=m=)/m))
    .find((media) => media.startsWith('m=audio') && media.includes('a=sendonly'));
  const [, found] = new RegExp(`^a=rtpmap:(\\d+) ${codec}/`, 'm').exec(sound ?? '') ?? [];
  if (found === undefined) throw new Error(`${codec} is not among what the page receives: ${sound}`);
  return Number(found);
}
