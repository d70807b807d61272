/**
 * Who we are to the server: an account, whose token the refresh cookie renews, or a guest, whose token is kept for as long
 * as it is good, so that what they studied stays theirs.
 */

import { createCell, type Cell, type Readable } from '../store';
import { ProtocolError } from './errors';
import type { Guest, SignedIn, User } from './generated/messages';
import { backOff } from './retry';

/** A token this close to its end is not used any more, in milliseconds. */
const MARGIN_MS = 30_000;
/** Guests that are remembered: one for each name that was used here. */
export const MAX_GUESTS = 5;

export type Who =
  /** Somebody was signed in here; whether they still are is being asked. */
  { kind: 'checking' } | { kind: 'guest' } | { kind: 'account'; user: User };

export interface IdentityDoors {
  createGuest: (displayName: string) => Promise<Guest>;
  /** Exchanges the refresh cookie: it is used up by that. */
  refresh: () => Promise<SignedIn>;
  /** Runs when no other window of this browser does the same. */
  alone: <T>(run: () => Promise<T>) => Promise<T>;
}

/** What is remembered of us in this browser. */
export interface IdentityMemory {
  /** The newest first. */
  guests: () => Guest[];
  saveGuests: (guests: readonly Guest[]) => void;
  /** Id of the account that is signed in. */
  account: () => string | undefined;
  saveAccount: (id: string | undefined) => void;
}

export class Identity {
  readonly #doors: IdentityDoors;
  readonly #memory: IdentityMemory;
  readonly #now: () => number;
  readonly #who: Cell<Who>;
  #access: { token: string; endsAtMs: number } | undefined;
  #refreshing: Promise<string> | undefined;

  constructor(doors: IdentityDoors, memory: IdentityMemory, now: () => number = Date.now) {
    this.#doors = doors;
    this.#memory = memory;
    this.#now = now;
    this.#who = createCell<Who>({ kind: memory.account() === undefined ? 'guest' : 'checking' });
    if (this.#who.get().kind === 'checking') void this.#check(1);
  }

  get who(): Readable<Who> {
    return this.#who;
  }

  /** To enter a room: of the account, whatever it is called, or of a guest of this name. */
  async token(displayName: string, fresh: boolean): Promise<string> {
    if (this.#who.get().kind !== 'guest') return this.#accountToken(fresh);
    const kept = this.#guests().find((guest) => guest.displayName === displayName);
    if (kept !== undefined && !fresh) {
      this.#remember(kept);
      return kept.token;
    }
    // A token that was refused must not come back when no new one is to be had right now.
    if (kept !== undefined) this.forgetGuest(kept);
    const guest = await this.#doors.createGuest(displayName);
    // The server may have normalised the name; what was typed is what is compared.
    this.#remember({ ...guest, displayName });
    return guest.token;
  }

  /** To ask for what is ours; `undefined` where nothing is. */
  async accessToken(fresh: boolean): Promise<string | undefined> {
    if (this.#who.get().kind !== 'guest') return this.#accountToken(fresh);
    const [guest] = this.#guests();
    if (guest !== undefined && fresh) this.forgetGuest(guest);
    return fresh ? undefined : guest?.token;
  }

  /** Those whom we were as a guest in this browser, and whose study time can be taken over. The last one comes first. */
  guests(): Guest[] {
    return this.#guests();
  }

  forgetGuest({ guestId }: Guest): void {
    this.#memory.saveGuests(this.#guests().filter((guest) => guest.guestId !== guestId));
  }

  signedIn({ token, expiresAt, user }: SignedIn): void {
    this.#access = { token, endsAtMs: Date.parse(expiresAt) };
    this.#memory.saveAccount(user.id);
    this.#who.set({ kind: 'account', user });
  }

  /** The account was changed: the token that says its name is not the right one any more. */
  changed(user: User): void {
    this.#access = undefined;
    this.#who.set({ kind: 'account', user });
  }

  signedOut(): void {
    this.#access = undefined;
    this.#memory.saveAccount(undefined);
    this.#who.set({ kind: 'guest' });
  }

  /** Another window of this browser may have signed in or out. */
  lookAgain(): void {
    const id = this.#memory.account();
    const who = this.#who.get();
    if (id === undefined) {
      if (who.kind !== 'guest') this.signedOut();
    } else if (who.kind !== 'account' || who.user.id !== id) {
      this.#access = undefined;
      this.#who.set({ kind: 'checking' });
      void this.#check(1);
    }
  }

  #accountToken(fresh: boolean): Promise<string> {
    const access = this.#access;
    if (!fresh && access !== undefined && access.endsAtMs - this.#now() > MARGIN_MS) {
      return Promise.resolve(access.token);
    }
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  async #refresh(): Promise<string> {
    this.#access = undefined;
    try {
      const answer = await this.#doors.alone(() => this.#doors.refresh());
      this.signedIn(answer);
      return answer.token;
    } catch (error) {
      if (!(error instanceof ProtocolError) || error.code !== 'UNAUTHORIZED') throw error;
      this.signedOut();
      // Another code than that of a token which a fresh one replaces: nobody becomes a guest without having said so.
      throw new ProtocolError('LOGIN_ENDED', 'Your login has ended. Sign in again, or go on as a guest.');
    }
  }

  /** Asks until there is an answer: a server that is away for a moment signs nobody out. */
  async #check(attempt: number): Promise<void> {
    try {
      await this.#accountToken(false);
    } catch {
      if (this.#who.get().kind === 'checking') {
        setTimeout(() => {
          if (this.#who.get().kind === 'checking') void this.#check(attempt + 1);
        }, backOff(attempt));
      }
    }
  }

  #guests(): Guest[] {
    return this.#memory.guests().filter(({ expiresAt }) => Date.parse(expiresAt) - this.#now() > MARGIN_MS);
  }

  #remember(guest: Guest): void {
    const others = this.#guests().filter(({ guestId }) => guestId !== guest.guestId);
    this.#memory.saveGuests([guest, ...others].slice(0, MAX_GUESTS));
  }
}
