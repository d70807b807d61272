/**
 * One kind of error for everything the server or the way to it can refuse: a code for the program and a sentence for
 * the person.
 */

export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly code: string;
  /** How long the server asks to wait, in milliseconds, before the same is tried again. */
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What a refused request answers with: `{error, code, retryAfterMs?}`. */
export function refusalOf(answer: unknown): ProtocolError | undefined {
  if (!isRecord(answer) || typeof answer['error'] !== 'string') return undefined;
  return new ProtocolError(
    text(answer['code']) ?? 'UNKNOWN',
    answer['error'],
    number(answer['retryAfterMs']),
  );
}

/**
 * What a refused connection carries: `data` where the server's library can send it, else a message of the form
 * `CODE: a sentence`. A message without a code comes from the transport (no network, a proxy, a server that is down).
 */
export function connectErrorOf(error: Error & { data?: unknown }): ProtocolError {
  if (isRecord(error.data)) {
    const code = text(error.data['code']);
    const message = text(error.data['message']);
    if (code !== undefined && message !== undefined) {
      return new ProtocolError(code, message, number(error.data['retryAfterMs']));
    }
  }
  const parts = /^([A-Z][A-Z0-9_]*): (.+)$/s.exec(error.message);
  if (parts?.[1] !== undefined && parts[2] !== undefined) return new ProtocolError(parts[1], parts[2]);
  return new ProtocolError('UNREACHABLE', 'The server cannot be reached.');
}

/** An RFC 9457 problem document as an error; anything else becomes a plain sentence about the status. */
export function problemOf(status: number, body: unknown): ProtocolError {
  if (isRecord(body)) {
    const message = text(body['detail']) ?? text(body['title']);
    const code = text(body['code']);
    if (message !== undefined && code !== undefined) {
      return new ProtocolError(code, message, number(body['retryAfterMs']));
    }
  }
  return new ProtocolError('UNKNOWN', `The server answered with an error (${status}).`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
