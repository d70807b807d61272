/** What is wrong with a form: which field it is about, and a sentence. */

import { ProtocolError } from '../protocol/errors';

export interface FormProblem {
  /** The field that the server named. */
  field: string | undefined;
  sentence: string;
}

/** The server names the field before a colon: `password: 10 to 200 characters are allowed.` */
const NAMED = /^([a-z][A-Za-z.]*): (.+)$/s;

export function problemOfForm(error: unknown, fields: readonly string[] = []): FormProblem {
  if (!(error instanceof ProtocolError)) {
    return { field: undefined, sentence: 'Something went wrong on this page; load it again.' };
  }
  const [, field = '', rest = ''] = NAMED.exec(error.message) ?? [];
  if (fields.includes(field)) return { field, sentence: capitalised(rest) };
  return { field: undefined, sentence: error.message + waitOf(error) };
}

export function sentenceOfError(error: unknown): string {
  return problemOfForm(error).sentence;
}

/** As the server counts: characters, not what they are made of. */
export function lengthOf(text: string): number {
  return Array.from(text.normalize('NFC')).length;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function waitOf({ retryAfterMs }: ProtocolError): string {
  if (retryAfterMs === undefined) return '';
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1_000));
  if (seconds <= 90) return ` Try again in ${seconds === 1 ? 'a second' : `${seconds} seconds`}.`;
  return ` Try again in ${Math.ceil(seconds / 60)} minutes.`;
}
