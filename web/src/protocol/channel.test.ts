import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { Server, type Socket } from 'socket.io';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openManager, RoomChannel, type Link } from './channel';
import type { KeptSeat, SeatMemory } from './seat';

/** A server of the same protocol, whose answers each test decides. */
let http: HttpServer;
let io: Server;
let url: string;
let channels: RoomChannel[];

beforeEach(async () => {
  http = createServer();
  io = new Server(http);
  channels = [];
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});

afterEach(async () => {
  for (const channel of channels) channel.close();
  await io.close();
});

interface Visit {
  channel: RoomChannel;
  links: Link[];
  /** Resolves with the next link of that kind. */
  link: <K extends Link['kind']>(kind: K) => Promise<Extract<Link, { kind: K }>>;
}

function visit(
  token: (fresh: boolean) => Promise<string> = () => Promise.resolve('t'),
  memory?: SeatMemory,
): Visit {
  const links: Link[] = [];
  const waiting: { kind: string; resolve: (link: Link) => void }[] = [];
  const channel = new RoomChannel({
    manager: openManager(url),
    roomId: 'quiet',
    token,
    requestTimeoutMs: 200,
    ...(memory === undefined ? {} : { memory }),
    onLink: (link) => {
      links.push(link);
      const index = waiting.findIndex(({ kind }) => kind === link.kind);
      if (index >= 0) waiting.splice(index, 1)[0]?.resolve(link);
    },
  });
  channels.push(channel);
  const link: Visit['link'] = (kind) =>
    new Promise((resolve) => {
      waiting.push({ kind, resolve: resolve as (link: Link) => void });
    });
  return { channel, links, link };
}

/** As a server that knows nothing of coming back, or as one that does. */
const welcome = (socket: Socket, resumeToken = ''): boolean =>
  socket.emit('room-state', { self: { participantId: socket.id, resumeToken }, seq: 1 });

describe('joining', () => {
  it('carries the token and the room, and is done with the first room-state', async () => {
    let auth: unknown;
    io.of('/room').on('connection', (socket) => {
      auth = socket.handshake.auth;
      welcome(socket);
    });
    const { channel, link } = visit();
    const joined = link('joined');
    channel.open();
    await joined;
    expect(auth).toEqual({ token: 't', roomId: 'quiet' });
  });

  it('that the server refuses for good ends with its sentence', async () => {
    io.of('/room').use((_, next) => next(new Error('ROOM_FULL: All seats are taken.')));
    const { channel, link } = visit();
    const refused = link('refused');
    channel.open();
    expect((await refused).error).toMatchObject({ code: 'ROOM_FULL', message: 'All seats are taken.' });
  });

  it('with a refused token is tried once more with a fresh one', async () => {
    io.of('/room').use((socket, next) => {
      next(socket.handshake.auth['token'] === 'fresh' ? undefined : new Error('UNAUTHORIZED: Run out.'));
    });
    io.of('/room').on('connection', (socket) => welcome(socket));
    const { channel, link } = visit((fresh) => Promise.resolve(fresh ? 'fresh' : 'old'));
    const joined = link('joined');
    channel.open();
    await joined;
  });

  it('into a busy server is tried again after a while', async () => {
    let tries = 0;
    io.of('/room').use((_, next) => {
      tries += 1;
      const error = Object.assign(new Error('SERVER_BUSY: Wait.'), {
        data: { code: 'SERVER_BUSY', message: 'Wait.', retryAfterMs: 10 },
      });
      next(tries < 2 ? error : undefined);
    });
    io.of('/room').on('connection', (socket) => welcome(socket));
    const { channel, link } = visit();
    const joined = link('joined');
    channel.open();
    await joined;
    expect(tries).toBe(2);
  });
});

describe('a request', () => {
  async function joined(answer: (socket: Socket) => void): Promise<RoomChannel> {
    io.of('/room').on('connection', (socket) => {
      answer(socket);
      welcome(socket);
    });
    const { channel, link } = visit();
    const done = link('joined');
    channel.open();
    await done;
    return channel;
  }

  it('is answered', async () => {
    const channel = await joined((socket) => {
      socket.on('produce', ({ kind }: { kind: string }, ack: (answer: unknown) => void) => {
        ack({ producerId: `p-${kind}` });
      });
    });
    const payload = { transportId: 't', kind: 'audio' as const, rtpParameters: {} };
    expect(await channel.request('produce', payload)).toEqual({ producerId: 'p-audio' });
  });

  it('without a payload sends none', async () => {
    const channel = await joined((socket) => {
      socket.on('get-rtp-capabilities', (...args: unknown[]) => {
        (args[args.length - 1] as (answer: unknown) => void)({ rtpCapabilities: args.length });
      });
    });
    expect(await channel.request('get-rtp-capabilities', undefined)).toEqual({ rtpCapabilities: 1 });
  });

  it('that is refused rejects with the code and the sentence', async () => {
    const channel = await joined((socket) => {
      socket.on('close-producer', (_: unknown, ack: (answer: unknown) => void) => {
        ack({ error: 'No such producer.', code: 'NOT_FOUND' });
      });
    });
    await expect(channel.request('close-producer', { producerId: 'x' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: 'No such producer.',
    });
  });

  it('that is never answered rejects in the end', async () => {
    const channel = await joined(() => undefined);
    await expect(channel.request('leave', undefined)).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  it('is not kept for later when the connection is down', async () => {
    const { channel } = visit();
    await expect(channel.request('leave', undefined)).rejects.toMatchObject({ code: 'DISCONNECTED' });
  });

  it('under way when the connection goes rejects at once', async () => {
    const channel = await joined((socket) => socket.on('leave', () => socket.disconnect()));
    await expect(channel.request('leave', undefined)).rejects.toMatchObject({ code: 'DISCONNECTED' });
  });
});

describe('a lost connection', () => {
  it('is taken up again with a new seat', async () => {
    let seats = 0;
    io.of('/room').on('connection', (socket) => {
      seats += 1;
      welcome(socket);
      if (seats === 1) socket.conn.close();
    });
    const { channel, link } = visit();
    const lost = link('reconnecting');
    channel.open();
    await lost;
    await link('joined');
    expect(seats).toBe(2);
  });

  it('that the server closed is taken up again when it said', async () => {
    let seats = 0;
    io.of('/room').on('connection', (socket) => {
      seats += 1;
      welcome(socket);
      if (seats > 1) return;
      socket.emit('server-draining', { reconnectInMs: 5 });
      socket.disconnect();
    });
    const { channel, link } = visit();
    const lost = link('reconnecting');
    channel.open();
    await lost;
    await link('joined');
    expect(seats).toBe(2);
  });

  it('is not taken up again after leaving', async () => {
    io.of('/room').on('connection', (socket) => welcome(socket));
    const { channel, links, link } = visit();
    const joined = link('joined');
    channel.open();
    await joined;
    channel.close();
    channel.close();
    expect(links.map(({ kind }) => kind)).toEqual(['connecting', 'joined', 'closed']);
  });
});

describe('coming back', () => {
  interface Auth {
    token: string;
    resume?: { resumeToken: string; lastSeq: number };
  }

  /** A server that lets everybody back whose token is known; what each connection came with. */
  function keepingServer(onFirst: (socket: Socket) => void): Auth[] {
    const came: Auth[] = [];
    io.of('/room').on('connection', (socket) => {
      const auth = socket.handshake.auth as Auth;
      came.push(auth);
      if (auth.resume === undefined) {
        welcome(socket, 'r1');
        socket.emit('user-left', { participantId: 'x', occupancy: 1, reason: 'left', seq: 2 });
        socket.emit('audio-levels', []);
        onFirst(socket);
      } else if (auth.resume.lastSeq === 0) {
        welcome(socket, `r${came.length}`);
      } else {
        socket.emit('resumed', { participantId: 'me', resumeToken: `r${came.length}`, serverTimeMs: 0 });
      }
    });
    return came;
  }

  it('is told with the newest token and the number of the last event', async () => {
    const closed: (() => void)[] = [];
    const came = keepingServer((socket) => closed.push(() => socket.conn.close()));
    const { channel, link } = visit();
    const joined = link('joined');
    const left = new Promise((resolve) => channel.on('user-left', resolve));
    channel.open();
    await joined;
    await left;
    closed[0]?.();
    await link('reconnecting');
    await link('joined');
    expect(came[1]?.resume).toEqual({ resumeToken: 'r1', lastSeq: 2 });
    channel.rejoin('Once more.');
    await link('joined');
    expect(came[2]?.resume).toEqual({ resumeToken: 'r2', lastSeq: 0 });
    expect(channel.keepsMedia).toBe(false);
  });

  it('starts anew when nobody knows whether something was made', async () => {
    const came = keepingServer((socket) => socket.on('produce', () => socket.conn.close()));
    const { channel, link } = visit();
    const joined = link('joined');
    channel.open();
    await joined;
    const again = link('joined');
    const payload = { transportId: 't', kind: 'audio' as const, rtpParameters: {} };
    await expect(channel.request('produce', payload)).rejects.toMatchObject({ code: 'DISCONNECTED' });
    await again;
    expect(came[1]?.resume).toEqual({ resumeToken: 'r1', lastSeq: 0 });
  });

  it('does not wait when the network seems to be back', async () => {
    keepingServer(
      (socket) => socket.emit('server-draining', { reconnectInMs: 60_000 }) && socket.disconnect(),
    );
    const { channel, link } = visit();
    const lost = link('reconnecting');
    channel.open();
    await lost;
    const joined = link('joined');
    channel.hurry();
    await joined;
  });

  it('is not done by who was replaced', async () => {
    const came = keepingServer((socket) => {
      socket.emit('error', { code: 'REPLACED', message: 'You are somewhere else now.' });
      socket.disconnect();
    });
    const { channel, link } = visit();
    const refused = link('refused');
    channel.open();
    expect((await refused).error).toMatchObject({ code: 'REPLACED', message: 'You are somewhere else now.' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(came).toHaveLength(1);
  });

  it('after a reload is done by the same person, and what they leave is forgotten', async () => {
    const came = keepingServer(() => undefined);
    let kept: KeptSeat | undefined = { roomId: 'quiet', token: 'of before', resumeToken: 'r0' };
    const memory: SeatMemory = {
      load: () => kept,
      save: (seat) => (kept = seat),
      forget: () => (kept = undefined),
    };
    const { channel, link } = visit(() => Promise.resolve('somebody else'), memory);
    const joined = link('joined');
    channel.open();
    await joined;
    expect(came[0]).toMatchObject({ token: 'of before', resume: { resumeToken: 'r0', lastSeq: 0 } });
    expect(kept).toEqual({ roomId: 'quiet', token: 'of before', resumeToken: 'r1' });
    channel.close();
    expect(kept).toBeUndefined();
  });
});
