import { describe, expect, it, vi } from 'vitest';

import { ProtocolError } from '../protocol/errors';
import type { Answer, Payload, RequestName, Signalling } from '../protocol/events';
import type { PublishLayer, Source } from '../protocol/generated/messages';
import { Publisher } from './publisher';
import type { Transports } from './transports';

const track = (name: string): MediaStreamTrack =>
  ({ name, getSettings: () => ({}) }) as unknown as MediaStreamTrack;

/** A send transport whose producers remember what was done to them. */
class World implements Signalling {
  readonly asked: string[] = [];
  readonly errors: { source: Source; message: string }[] = [];
  readonly paused: Source[] = [];
  refuse: (name: RequestName) => ProtocolError | undefined = () => undefined;
  /** What each source sends now; `undefined` while paused or closed. */
  readonly sending = new Map<Source, unknown>();
  /** Of each camera and screen, whether its sizes are encoded, and how often that was set. */
  readonly encodings = [
    { rid: 'r0', active: true },
    { rid: 'r1', active: true },
    { rid: 'r2', active: true },
  ];
  settings = 0;
  /** Runs when a producer exists at the server, before the publisher knows. */
  onProduced: (producerId: string) => void = () => undefined;
  private count = 0;

  readonly publisher = new Publisher(this.transports(), this, {
    onError: (source, message) => void this.errors.push({ source, message }),
    onPaused: (source) => void this.paused.push(source),
  });

  readonly request = <N extends RequestName>(name: N, payload: Payload<N>): Promise<Answer<N>> => {
    const { producerId = '' } = (payload ?? {}) as { producerId?: string };
    this.asked.push(`${name} ${producerId}`.trim());
    const refusal = this.refuse(name);
    return refusal === undefined ? Promise.resolve({} as Answer<N>) : Promise.reject(refusal);
  };

  async settled(): Promise<void> {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  }

  private transports(): Transports {
    const send = { id: 'send', listenerCount: () => 1, produce: this.produce.bind(this) };
    return {
      device: () => Promise.resolve({ sendRtpCapabilities: { codecs: [] } }),
      send: () => Promise.resolve(send),
    } as unknown as Transports;
  }

  private produce(options: { track: unknown; appData: { source: Source } }): Promise<unknown> {
    const { source } = options.appData;
    const refusal = this.refuse('produce');
    this.asked.push(`produce ${source}`);
    if (refusal !== undefined) return Promise.reject(refusal);
    const { sending } = this;
    this.count += 1;
    sending.set(source, options.track);
    const made = {
      id: `${source}-${this.count}`,
      paused: false,
      track: options.track,
      rtpSender: {
        getParameters: () => ({ encodings: this.encodings.map((encoding) => ({ ...encoding })) }),
        setParameters: async ({ encodings }: { encodings: { active: boolean }[] }) => {
          this.settings += 1;
          await Promise.resolve();
          encodings.forEach(({ active }, index) => {
            const encoding = this.encodings[index];
            if (encoding !== undefined) encoding.active = active;
          });
        },
      },
      on: () => undefined,
      pause: () => {
        made.paused = true;
      },
      resume: () => {
        made.paused = false;
      },
      replaceTrack: (change: { track: unknown }) => {
        made.track = change.track;
        sending.set(source, change.track ?? undefined);
        return Promise.resolve();
      },
      close: () => sending.delete(source),
    };
    this.onProduced(made.id);
    return Promise.resolve(made);
  }
}

describe('a camera', () => {
  it('is produced, paused when off, and resumed with the next track', async () => {
    const world = new World();
    world.publisher.set('camera', track('first'));
    await world.settled();
    world.publisher.set('camera', undefined);
    await world.settled();
    world.publisher.set('camera', track('second'));
    await world.settled();
    expect(world.asked).toEqual(['produce camera', 'pause-producer camera-1', 'resume-producer camera-1']);
    expect(world.sending.get('camera')).toMatchObject({ name: 'second' });
  });

  it('that was never on is not produced', async () => {
    const world = new World();
    world.publisher.set('camera', undefined);
    await world.settled();
    expect(world.asked).toEqual([]);
  });

  it('ends in the last wish, however fast the clicks', async () => {
    const world = new World();
    const last = track('last');
    for (const wish of [track('a'), undefined, track('b'), undefined, last])
      world.publisher.set('camera', wish);
    await world.settled();
    expect(world.sending.get('camera')).toBe(last);
    expect(world.asked.filter((name) => name === 'produce camera')).toHaveLength(1);
  });

  it('is exchanged without a pause', async () => {
    const world = new World();
    world.publisher.set('camera', track('front'));
    await world.settled();
    world.publisher.set('camera', track('back'));
    await world.settled();
    expect(world.asked).toEqual(['produce camera']);
    expect(world.sending.get('camera')).toMatchObject({ name: 'back' });
  });
});

describe('the sizes of a picture', () => {
  const layers = (...active: boolean[]): PublishLayer[] =>
    active.map((isActive, index) => ({ rid: `r${index}`, active: isActive, maxBitrate: null }));
  const active = (world: World): boolean[] => world.encodings.map((encoding) => encoding.active);

  it('that nobody watches are not encoded until somebody does', async () => {
    const world = new World();
    world.publisher.set('camera', track('camera'));
    await world.settled();
    world.publisher.setLayers('camera-1', layers(true, false, false));
    await world.settled();
    expect(active(world)).toEqual([true, false, false]);
    world.publisher.setLayers('camera-1', layers(true, true, false));
    await world.settled();
    expect(active(world)).toEqual([true, true, false]);
  });

  it('end as they were wanted last, however fast that changes', async () => {
    const world = new World();
    world.publisher.set('camera', track('camera'));
    await world.settled();
    world.publisher.setLayers('camera-1', layers(true, false, false));
    world.publisher.setLayers('camera-1', layers(true, true, true));
    world.publisher.setLayers('camera-1', layers(true, false, true));
    await world.settled();
    expect(active(world)).toEqual([true, false, true]);
    expect(world.settings).toBe(1);
  });

  it('are known before the producer is', async () => {
    const world = new World();
    world.onProduced = (producerId) => world.publisher.setLayers(producerId, layers(true, true, false));
    world.publisher.set('camera', track('camera'));
    await world.settled();
    expect(active(world)).toEqual([true, true, false]);
  });

  it('of somebody else’s picture change nothing', async () => {
    const world = new World();
    world.publisher.set('camera', track('camera'));
    world.publisher.setLayers('camera-7', layers(false, false, false));
    await world.settled();
    expect(active(world)).toEqual([true, true, true]);
    expect(world.settings).toBe(0);
  });
});

it('closes a screen that is not shared any more', async () => {
  const world = new World();
  world.publisher.set('screen', track('desk'));
  await world.settled();
  world.publisher.set('screen', undefined);
  await world.settled();
  expect(world.asked).toEqual(['produce screen', 'close-producer screen-1']);
  expect(world.publisher.producers().size).toBe(0);
});

describe('a refusal', () => {
  it('for good is told to the person, once, and a later wish is tried', async () => {
    const world = new World();
    world.refuse = () => new ProtocolError('LIMIT_REACHED', 'Too many.');
    world.publisher.set('mic', track('mic'));
    await world.settled();
    expect(world.errors).toEqual([{ source: 'mic', message: 'Too many.' }]);
    world.refuse = () => undefined;
    world.publisher.set('mic', track('mic'));
    await world.settled();
    expect(world.sending.has('mic')).toBe(true);
  });

  it('for now is tried again', async () => {
    vi.useFakeTimers();
    const world = new World();
    let tries = 0;
    world.refuse = () => {
      tries += 1;
      return tries === 1 ? new ProtocolError('SERVER_BUSY', 'Busy.') : undefined;
    };
    world.publisher.set('mic', track('mic'));
    await vi.advanceTimersByTimeAsync(1_500);
    vi.useRealTimers();
    expect(world.errors).toEqual([]);
    expect(world.sending.has('mic')).toBe(true);
  });

  it('after the seat is gone is nobody’s business', async () => {
    const world = new World();
    world.refuse = () => {
      world.publisher.close();
      return new ProtocolError('DISCONNECTED', 'Down.');
    };
    world.publisher.set('mic', track('mic'));
    await world.settled();
    expect(world.errors).toEqual([]);
  });
});
