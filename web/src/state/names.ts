/** Names of people: what the server accepts, and the letters and colour that stand for a face. */

/** The server's limit, in characters after NFC. */
export const MAX_NAME_LENGTH = 50;

/** How many tones the style sheet has for initials (`--tone-0` and so on). */
const TONES = 8;

/** The name as it is sent, or what is wrong with it. */
export function checkName(typed: string): { name: string } | { problem: string } {
  const name = typed.normalize('NFC').trim();
  if (name === '') return { problem: 'Enter a name, so that the others know who you are.' };
  if (/\p{Cc}/u.test(name)) return { problem: 'A name cannot contain control characters.' };
  if (Array.from(name).length > MAX_NAME_LENGTH) {
    return { problem: `A name can have at most ${MAX_NAME_LENGTH} characters.` };
  }
  return { name };
}

/** One or two letters: of the first and the last word, or the first of the only one. */
export function initialsOf(name: string): string {
  const words = name.split(/[\s.,_-]+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const first = words[0];
  if (first === undefined) return Array.from(name.trim())[0]?.toUpperCase() ?? '?';
  const last = words.length > 1 ? words[words.length - 1] : undefined;
  return letterOf(first) + (last === undefined ? '' : letterOf(last));
}

/** The same person has the same tone in every window. */
export function toneOf(participantId: string): number {
  let hash = 0;
  for (const unit of participantId) hash = (hash * 31 + (unit.codePointAt(0) ?? 0)) % 1_000_003;
  return hash % TONES;
}

function letterOf(word: string): string {
  return (/[\p{L}\p{N}]/u.exec(word)?.[0] ?? '').toUpperCase();
}
