/** Who we are to the server: a guest's token, asked for once and again when it runs out, is refused, or the name changes. */

import type { Guest } from './generated/messages';

/** A token this close to its end is not used any more, in milliseconds. */
const MARGIN_MS = 30_000;

export class Identity {
  readonly #create: (displayName: string) => Promise<Guest>;
  readonly #now: () => number;
  #guest: Guest | undefined;

  constructor(create: (displayName: string) => Promise<Guest>, now: () => number = Date.now) {
    this.#create = create;
    this.#now = now;
  }

  async token(displayName: string, fresh: boolean): Promise<string> {
    const kept = this.#guest;
    if (!fresh && kept?.displayName === displayName && Date.parse(kept.expiresAt) - this.#now() > MARGIN_MS) {
      return kept.token;
    }
    // A token that was refused must not come back when no new one is to be had right now.
    this.#guest = undefined;
    const guest = await this.#create(displayName);
    // The server may have normalised the name; what was typed is what is compared.
    this.#guest = { ...guest, displayName };
    return guest.token;
  }
}
