import { afterEach, expect, it, vi } from 'vitest';

import { Api, type TokenSource } from './api';

interface Asked {
  url: string;
  method: string;
  authorization: string | null;
}

/** Answers one after the other; what was asked is noted. */
function answering(...answers: Response[]): Asked[] {
  const asked: Asked[] = [];
  vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
    const headers = new Headers(init.headers);
    asked.push({ url, method: init.method ?? 'GET', authorization: headers.get('authorization') });
    const answer = answers.shift();
    return answer === undefined ? Promise.reject(new TypeError('no network')) : Promise.resolve(answer);
  });
  return asked;
}

function problem(status: number, code: string): Response {
  return Response.json({ code, detail: 'A sentence.' }, { status });
}

const tokens: TokenSource = { accessToken: (fresh) => Promise.resolve(fresh ? 'second' : 'first') };
const nobody: TokenSource = { accessToken: () => Promise.resolve(undefined) };

afterEach(() => {
  vi.unstubAllGlobals();
});

it('asks again with another token when one is refused, once', async () => {
  const asked = answering(problem(401, 'UNAUTHORIZED'), Response.json({ sessions: [] }));
  expect(await new Api(tokens).studySessions()).toEqual({ sessions: [] });
  expect(asked.map(({ authorization }) => authorization)).toEqual(['Bearer first', 'Bearer second']);

  const again = answering(problem(401, 'UNAUTHORIZED'), problem(401, 'UNAUTHORIZED'), Response.json({}));
  await expect(new Api(tokens).studySessions()).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  expect(again).toHaveLength(2);
});

it('does not ask twice for what was refused otherwise', async () => {
  const asked = answering(problem(403, 'FORBIDDEN'), Response.json({}));
  await expect(new Api(tokens).deleteRoom('quiet')).rejects.toMatchObject({
    code: 'FORBIDDEN',
    message: 'A sentence.',
  });
  expect(asked).toEqual([{ url: '/api/rooms/quiet', method: 'DELETE', authorization: 'Bearer first' }]);
});

it('asks nothing that is somebody’s in the name of nobody', async () => {
  const asked = answering();
  await expect(new Api(nobody).studySessions()).rejects.toMatchObject({ code: 'SIGNED_OUT' });
  expect(asked).toEqual([]);
});

it('looks for rooms as anybody, and for one’s own with a token', async () => {
  const asked = answering(
    Response.json({ rooms: [] }),
    Response.json({ rooms: [] }),
    Response.json({ rooms: [] }),
  );
  const api = new Api(tokens);
  await api.rooms();
  await api.rooms({ q: 'maths & physics', cursor: 'quiet' });
  await api.rooms({ mine: true });
  expect(asked.map(({ url, authorization }) => [url, authorization])).toEqual([
    ['/api/rooms', null],
    ['/api/rooms?q=maths+%26+physics&cursor=quiet', null],
    ['/api/rooms?mine=true', 'Bearer first'],
  ]);
});

it('has a sentence for a server that cannot be reached, and for an answer that is none', async () => {
  answering();
  await expect(new Api(tokens).studySessions()).rejects.toMatchObject({ code: 'UNREACHABLE' });
  answering(new Response('<html>', { status: 502 }));
  await expect(new Api(tokens).studySessions()).rejects.toMatchObject({
    code: 'UNKNOWN',
    message: 'The server answered with an error (502).',
  });
});

it('takes an answer without a body', async () => {
  answering(new Response(null, { status: 204 }));
  await expect(new Api(tokens).deleteRoom('quiet')).resolves.toBeUndefined();
});
