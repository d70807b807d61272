/** One request over HTTP: a typed answer, or a `ProtocolError`. */

import { problemOf, ProtocolError } from './errors';

export interface Request {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  body?: unknown;
  /** Of who asks. */
  token?: string | undefined;
}

/** Answers without a body are `undefined`. */
export async function ask<T>(path: string, request: Request = {}): Promise<T> {
  const response = await send(path, request);
  const text = await response.text().catch(() => '');
  const body: unknown = parse(text);
  if (!response.ok) throw problemOf(response.status, body);
  return body as T;
}

/** What is to be saved as a file. */
export async function askFile(path: string, request: Request = {}): Promise<Blob> {
  const response = await send(path, request);
  if (!response.ok) throw problemOf(response.status, parse(await response.text().catch(() => '')));
  return response.blob().catch(() => {
    throw new ProtocolError('UNREACHABLE', 'The download broke off; try again.');
  });
}

/** A path with what is asked for; what is `undefined` is left out. */
export function withQuery(path: string, query: Record<string, string | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, value);
  return search.size === 0 ? path : `${path}?${search.toString()}`;
}

async function send(path: string, { method = 'GET', body, token }: Request): Promise<Response> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
  try {
    return await fetch(path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ProtocolError('UNREACHABLE', 'The server cannot be reached.');
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
