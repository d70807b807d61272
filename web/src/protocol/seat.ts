/**
 * What leads back to a seat: a token that the server renews each time, and the number of the last event that came. Pure,
 * but for the storage of the tab, where the token outlives a reload of the page.
 */

import type { Resume } from './generated/messages';

/** Kept for the same tab: whoever has it, and the token of the person, has the seat. */
export interface KeptSeat {
  roomId: string;
  /** Of the person: a guest who is made anew is another person. */
  token: string;
  resumeToken: string;
}

export interface SeatMemory {
  load(): KeptSeat | undefined;
  save(seat: KeptSeat): void;
  forget(): void;
}

export const NO_MEMORY: SeatMemory = {
  load: () => undefined,
  save: () => undefined,
  forget: () => undefined,
};

export class Seat {
  #participantId: string | undefined;
  #resumeToken: string | undefined;
  #lastSeq = 0;
  /** What the server made for us is to be closed when we come back: we do not know it, or it is of no use. */
  #anew = false;

  /** A page that was loaded again knows the token and nothing else. */
  restore(resumeToken: string): void {
    this.#resumeToken = resumeToken;
    this.#anew = true;
  }

  /** Every event, in the order of their coming. */
  note(event: unknown): void {
    const seq = seqOf(event);
    if (seq !== undefined) this.#lastSeq = seq;
  }

  /** The server has told who we are; true when all that we made before is still there. */
  enter(participantId: string, resumeToken: string): boolean {
    const isSame = participantId === this.#participantId && !this.#anew;
    this.#participantId = participantId;
    // A server that knows nothing of it sends none.
    this.#resumeToken = resumeToken === '' ? undefined : resumeToken;
    this.#anew = false;
    return isSame;
  }

  renew(resumeToken: string): void {
    this.#resumeToken = resumeToken;
  }

  startAnew(): void {
    this.#anew = true;
  }

  /** What to come back with. */
  resume(): Resume | undefined {
    if (this.#resumeToken === undefined) return undefined;
    return { resumeToken: this.#resumeToken, lastSeq: this.#anew ? 0 : this.#lastSeq };
  }
}

function seqOf(event: unknown): number | undefined {
  if (typeof event !== 'object' || event === null || !('seq' in event)) return undefined;
  return typeof event.seq === 'number' ? event.seq : undefined;
}
