/** The few things that are asked over HTTP. */

import { problemOf, ProtocolError } from './errors';
import type { CreateGuest, Guest } from './generated/messages';

export async function createGuest(displayName: string): Promise<Guest> {
  let response: Response;
  try {
    response = await fetch('/api/guests', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ displayName } satisfies CreateGuest),
    });
  } catch {
    throw new ProtocolError('UNREACHABLE', 'The server cannot be reached.');
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw problemOf(response.status, body);
  return body as Guest;
}
