/** Names of requests with their types, and what `media` needs to know of the channel: that it can ask the server. */

import type { RoomRequests } from './generated/messages';

export type RequestName = keyof RoomRequests;
export type Payload<N extends RequestName> = RoomRequests[N]['payload'];
export type Answer<N extends RequestName> = RoomRequests[N]['answer'];

export interface Signalling {
  /** Rejects with `ProtocolError`: what the server answered, or `TIMEOUT`, or `DISCONNECTED`. */
  request: <N extends RequestName>(name: N, payload: Payload<N>) => Promise<Answer<N>>;
}
