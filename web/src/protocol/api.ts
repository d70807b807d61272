/** What is asked over HTTP: by anybody, and in the name of who we are. */

import { ProtocolError } from './errors';
import type {
  AuthMethods,
  ChangeRoom,
  ChangeUser,
  ClaimGuest,
  CreateGuest,
  CreateInvite,
  CreateRoom,
  Guest,
  Invite,
  Leaderboard,
  LeaderboardPeriod,
  Login,
  Register,
  RoomInfo,
  RoomList,
  SignedIn,
  StudySessions,
  StudySummary,
  TakeAdministrator,
  User,
} from './generated/messages';
import { ask, askFile, withQuery, type Request } from './http';

/** Leads to another site's login, and back to the front page. */
export const OTHER_LOGIN = '/api/auth/oidc';

export function createGuest(displayName: string): Promise<Guest> {
  return ask('/api/guests', { method: 'POST', body: { displayName } satisfies CreateGuest });
}

export function authMethods(): Promise<AuthMethods> {
  return ask('/api/auth/methods');
}

export function register(body: Register): Promise<SignedIn> {
  return ask('/api/auth/register', { method: 'POST', body });
}

export function signIn(body: Login): Promise<SignedIn> {
  return ask('/api/auth/login', { method: 'POST', body });
}

/** The next token, by the cookie that only the server reads. */
export function refresh(): Promise<SignedIn> {
  return ask('/api/auth/refresh', { method: 'POST' });
}

export function signOut(): Promise<void> {
  return ask('/api/auth/logout', { method: 'POST' });
}

/** `password` left out: as it is; `null`: none any more. */
export type RoomChange = Omit<ChangeRoom, 'password'> & Partial<Pick<ChangeRoom, 'password'>>;

export interface RoomsQuery {
  q?: string | undefined;
  cursor?: string | undefined;
  mine?: boolean;
}

/** Whose token it is, and how to get another one when it is refused; `undefined`: nobody's. */
export interface TokenSource {
  accessToken: (fresh: boolean) => Promise<string | undefined>;
}

export class Api {
  readonly #tokens: TokenSource;

  constructor(tokens: TokenSource) {
    this.#tokens = tokens;
  }

  changeMe(body: ChangeUser): Promise<User> {
    return this.#ask('/api/me', { method: 'PATCH', body });
  }

  deleteMe(): Promise<void> {
    return this.#ask('/api/me', { method: 'DELETE' });
  }

  everythingOfMe(): Promise<Blob> {
    return this.#askFile('/api/me/export');
  }

  claimGuest(guestToken: string): Promise<void> {
    return this.#ask('/api/me/claim-guest', {
      method: 'POST',
      body: { guestToken } satisfies ClaimGuest,
    });
  }

  takeAdministrator(code: string): Promise<User> {
    return this.#ask('/api/me/administrator', {
      method: 'POST',
      body: { code } satisfies TakeAdministrator,
    });
  }

  rooms({ q, cursor, mine }: RoomsQuery = {}): Promise<RoomList> {
    const path = withQuery('/api/rooms', {
      q: q === '' ? undefined : q,
      cursor,
      mine: mine === true ? 'true' : undefined,
    });
    return mine === true ? this.#ask(path) : ask(path);
  }

  room(id: string): Promise<RoomInfo> {
    return this.#askIfKnown(roomPath(id));
  }

  createRoom(body: CreateRoom): Promise<RoomInfo> {
    return this.#ask('/api/rooms', { method: 'POST', body });
  }

  changeRoom(id: string, body: RoomChange): Promise<RoomInfo> {
    return this.#ask(roomPath(id), { method: 'PATCH', body });
  }

  deleteRoom(id: string): Promise<void> {
    return this.#ask(roomPath(id), { method: 'DELETE' });
  }

  invite(id: string, body: CreateInvite): Promise<Invite> {
    return this.#ask(`${roomPath(id)}/invites`, { method: 'POST', body });
  }

  /** `from` is a day; `timeZone` comes before the one of the account. */
  studySummary(from: string, timeZone?: string): Promise<StudySummary> {
    return this.#ask(withQuery('/api/study/summary', { from, tz: timeZone }));
  }

  /** What somebody else studied, whose token we have: ours, as a guest. */
  studySummaryOf(token: string, from: string): Promise<StudySummary> {
    return ask(withQuery('/api/study/summary', { from }), { token });
  }

  studySessions(cursor?: string): Promise<StudySessions> {
    return this.#ask(withQuery('/api/study/sessions', { cursor }));
  }

  leaderboard(period: LeaderboardPeriod, room: string | undefined, timeZone?: string): Promise<Leaderboard> {
    return this.#ask(withQuery('/api/study/leaderboard', { period, room, tz: timeZone }));
  }

  studyTable(timeZone?: string): Promise<Blob> {
    return this.#askFile(withQuery('/api/study/export.csv', { tz: timeZone }));
  }

  #ask<T>(path: string, request: Request = {}): Promise<T> {
    return this.#withToken((token) => ask<T>(path, { ...request, token }));
  }

  #askFile(path: string): Promise<Blob> {
    return this.#withToken((token) => askFile(path, { token }));
  }

  /** Whoever we are, it is told, and who is nobody may ask too. */
  async #askIfKnown<T>(path: string): Promise<T> {
    const token = await this.#tokens.accessToken(false).catch(() => undefined);
    return ask<T>(path, { token });
  }

  /** A token that is refused is replaced, once. */
  async #withToken<T>(run: (token: string) => Promise<T>): Promise<T> {
    try {
      return await run(known(await this.#tokens.accessToken(false)));
    } catch (error) {
      if (!(error instanceof ProtocolError) || error.code !== 'UNAUTHORIZED') throw error;
      return run(known(await this.#tokens.accessToken(true)));
    }
  }
}

function known(token: string | undefined): string {
  if (token === undefined) throw new ProtocolError('SIGNED_OUT', 'You are not signed in; sign in first.');
  return token;
}

function roomPath(id: string): string {
  return `/api/rooms/${encodeURIComponent(id)}`;
}
