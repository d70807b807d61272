import { beforeEach, afterEach, describe, expect, it, vi } from 'vitest';

import { ProtocolError } from '../protocol/errors';
import type { Answer, Payload, RequestName, Signalling } from '../protocol/events';
import type { ConsumeOutcome, NewProducer } from '../protocol/generated/messages';
import { MAX_BATCH, Subscriber } from './subscriber';
import type { Transports } from './transports';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const producer = (producerId: string): NewProducer => ({
  producerId,
  participantId: `owner-of-${producerId}`,
  kind: 'video',
  source: 'camera',
  paused: false,
});

/** The server's side, and the browser's: consumers that remember whether they were closed. */
class World implements Signalling {
  readonly asked: { name: RequestName; payload: unknown }[] = [];
  readonly closed = new Set<string>();
  readonly tracks = new Map<string, unknown>();
  readonly errors: string[] = [];
  /** Takes the place of the usual answer. */
  refuse: (name: RequestName, payload: unknown) => ProtocolError | undefined = () => undefined;
  /** Instead of a consumer, for one producer. */
  refusals = new Map<string, ConsumeOutcome>();

  readonly subscriber = new Subscriber(this.transports(), this, {
    onTrack: ({ producerId }, track) => this.tracks.set(producerId, track),
    onTrackGone: ({ producerId }) => this.tracks.delete(producerId),
    onError: (message) => this.errors.push(message),
  });

  readonly request = <N extends RequestName>(name: N, payload: Payload<N>): Promise<Answer<N>> => {
    this.asked.push({ name, payload });
    const refusal = this.refuse(name, payload);
    if (refusal !== undefined) return Promise.reject(refusal);
    if (name !== 'consume') return Promise.resolve({} as Answer<N>);
    const { producerIds = [] } = payload as Payload<'consume'>;
    const consumers = producerIds.map(
      (producerId) => this.refusals.get(producerId) ?? consumerOf(producerId),
    );
    return Promise.resolve({ consumers } as Answer<N>);
  };

  of(name: RequestName): unknown[] {
    return this.asked.filter((each) => each.name === name).map(({ payload }) => payload);
  }

  private transports(): Transports {
    const recv = {
      id: 'recv',
      consume: ({ id }: { id: string }) =>
        Promise.resolve({ id, track: `track-of-${id}`, close: () => this.closed.add(id) }),
    };
    return {
      device: () => Promise.resolve({ recvRtpCapabilities: {} }),
      recv: () => Promise.resolve(recv),
    } as unknown as Transports;
  }
}

function consumerOf(producerId: string): ConsumeOutcome {
  return {
    id: `c-${producerId}`,
    producerId,
    participantId: `owner-of-${producerId}`,
    kind: 'video',
    source: 'camera',
    rtpParameters: {},
    type: 'simple',
    producerPaused: false,
  };
}

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(50);

describe('announcements that come together', () => {
  it('are asked for together, and resumed together', async () => {
    const world = new World();
    for (const id of ['a', 'b', 'c']) world.subscriber.want(producer(id));
    await settle();
    expect(world.of('consume')).toMatchObject([{ producerIds: ['a', 'b', 'c'] }]);
    expect(world.of('resume-consumer')).toEqual([{ consumerIds: ['c-a', 'c-b', 'c-c'] }]);
    expect([...world.tracks.keys()]).toEqual(['a', 'b', 'c']);
  });

  it('are cut into pieces when they are very many', async () => {
    const world = new World();
    for (let index = 0; index < MAX_BATCH * 3; index += 1) world.subscriber.want(producer(`p${index}`));
    await settle();
    expect(world.of('consume')).toHaveLength(3);
    expect(world.tracks.size).toBe(MAX_BATCH * 3);
  });

  it('of the same producer are asked for once', async () => {
    const world = new World();
    world.subscriber.want(producer('a'));
    world.subscriber.want(producer('a'));
    await settle();
    world.subscriber.want(producer('a'));
    await settle();
    expect(world.of('consume')).toHaveLength(1);
  });
});

describe('a producer that ends', () => {
  it('before it was asked for is not asked for', async () => {
    const world = new World();
    world.subscriber.want(producer('a'));
    world.subscriber.drop('a');
    await settle();
    expect(world.of('consume')).toHaveLength(0);
  });

  it('while it is asked for leaves no consumer behind', async () => {
    const world = new World();
    world.refuse = (name) => {
      if (name === 'consume') world.subscriber.drop('a');
      return undefined;
    };
    world.subscriber.want(producer('a'));
    world.subscriber.want(producer('b'));
    await settle();
    expect([...world.tracks.keys()]).toEqual(['b']);
    expect(world.closed).toContain('c-a');
    expect(world.of('close-consumer')).toEqual([{ consumerId: 'c-a' }]);
  });

  it('takes its track away', async () => {
    const world = new World();
    world.subscriber.want(producer('a'));
    await settle();
    world.subscriber.drop('a');
    expect(world.tracks.size).toBe(0);
    expect(world.closed).toContain('c-a');
  });

  it('just before the resume does not keep the others dark', async () => {
    const world = new World();
    world.refuse = (name, payload) => {
      const { consumerIds, consumerId } = payload as Payload<'resume-consumer'>;
      const gone = consumerId === 'c-a' || consumerIds !== undefined;
      return name === 'resume-consumer' && gone ? new ProtocolError('NOT_FOUND', 'Gone.') : undefined;
    };
    world.subscriber.want(producer('a'));
    world.subscriber.want(producer('b'));
    await settle();
    expect(world.of('resume-consumer')).toEqual([
      { consumerIds: ['c-a', 'c-b'] },
      { consumerId: 'c-a' },
      { consumerId: 'c-b' },
    ]);
    expect(world.tracks.has('b')).toBe(true);
  });
});

it('declining tells the server, and wanting again asks again', async () => {
  const world = new World();
  world.subscriber.want(producer('a'));
  await settle();
  world.subscriber.decline('a');
  expect(world.of('close-consumer')).toEqual([{ consumerId: 'c-a' }]);
  world.subscriber.want(producer('a'));
  await settle();
  expect(world.of('consume')).toHaveLength(2);
});

describe('a refusal', () => {
  it('of one is tried again later, without the others', async () => {
    const world = new World();
    world.refusals.set('a', { producerId: 'a', error: 'Busy.', code: 'SERVER_BUSY' });
    world.subscriber.want(producer('a'));
    world.subscriber.want(producer('b'));
    await settle();
    world.refusals.clear();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(world.of('consume')).toMatchObject([{ producerIds: ['a', 'b'] }, { producerIds: ['a'] }]);
    expect(world.tracks.size).toBe(2);
  });

  it('because it is gone is not tried again', async () => {
    const world = new World();
    world.refusals.set('a', { producerId: 'a', error: 'Gone.', code: 'NOT_FOUND' });
    world.subscriber.want(producer('a'));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(world.of('consume')).toHaveLength(1);
    expect(world.errors).toEqual([]);
  });

  it('that never ends is told to the person, once', async () => {
    const world = new World();
    world.refuse = (name) => (name === 'consume' ? new ProtocolError('SERVER_BUSY', 'Busy.') : undefined);
    world.subscriber.want(producer('a'));
    await vi.advanceTimersByTimeAsync(600_000);
    expect(world.of('consume')).toHaveLength(5);
    expect(world.errors).toEqual(['Busy.']);
  });

  it('by a limit is waited for as long as the server says', async () => {
    const world = new World();
    let first = true;
    world.refuse = (name) => {
      if (name !== 'consume' || !first) return undefined;
      first = false;
      return new ProtocolError('RATE_LIMITED', 'Slow down.', 8_000);
    };
    world.subscriber.want(producer('a'));
    await vi.advanceTimersByTimeAsync(7_000);
    expect(world.of('consume')).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(world.tracks.size).toBe(1);
  });
});

it('is silent after it was closed', async () => {
  const world = new World();
  world.subscriber.want(producer('a'));
  await settle();
  world.subscriber.want(producer('b'));
  world.subscriber.close();
  await settle();
  expect(world.tracks.size).toBe(0);
  expect(world.of('consume')).toHaveLength(1);
});
