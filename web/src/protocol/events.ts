/** The names of all requests and events with their types: the table that makes `request` and `on` typed. */

import type {
  ConsumeRefusal,
  ConsumerOptions,
  Direction,
  Kind,
  NewProducer,
  Opaque,
  Participant,
  RoomInfo,
  RoomState,
  Source,
  TransportOptions,
} from './messages';

/** Client → server; each is answered through its acknowledgement. */
export interface Requests {
  'get-rtp-capabilities': { payload: undefined; answer: { rtpCapabilities: Opaque } };
  'create-transport': { payload: { direction: Direction }; answer: { transport: TransportOptions } };
  'connect-transport': {
    payload: { transportId: string; dtlsParameters: Opaque };
    answer: { connected: true };
  };
  produce: {
    payload: { transportId: string; kind: Kind; rtpParameters: Opaque; source: Source; paused: boolean };
    answer: { producerId: string };
  };
  consume: {
    payload: { transportId: string; producerIds: string[]; rtpCapabilities: Opaque };
    answer: { consumers: (ConsumerOptions | ConsumeRefusal)[] };
  };
  'resume-consumer': { payload: { consumerIds: string[] }; answer: { resumed: true } };
  'close-producer': { payload: { producerId: string }; answer: { closed: true } };
  'close-consumer': { payload: { consumerId: string }; answer: { closed: true } };
  'pause-producer': { payload: { producerId: string }; answer: { paused: true } };
  'resume-producer': { payload: { producerId: string }; answer: { resumed: true } };
  'restart-ice': { payload: { transportId: string }; answer: { iceParameters: Opaque } };
  leave: { payload: undefined; answer: unknown };
}

/** Server → client, in a room. */
export interface RoomEvents {
  'room-state': RoomState;
  'user-joined': { participant: Participant; occupancy: number };
  'user-left': { participantId: string; occupancy: number; reason: 'left' | 'lost' | 'kicked' | 'banned' };
  'user-updated': { participantId: string } & Partial<Participant>;
  'room-updated': Partial<RoomInfo>;
  'new-producer': NewProducer;
  'producer-closed': { producerId: string; participantId: string };
  'producer-paused': { producerId: string; participantId: string };
  'producer-resumed': { producerId: string; participantId: string };
  'consumer-closed': { consumerId: string };
  'recommend-audio-only': { message: string; occupancy: number };
  kicked: { reason?: string };
  error: { code: string; message: string; retryAfterMs?: number };
  'server-draining': { reconnectInMs: number };
}

/** Server → client, in the lobby. */
export interface LobbyEvents {
  'lobby-state': { rooms: RoomInfo[] };
  'room-occupancy': { roomId: string; occupancy: number; capacity: number };
}

export type RequestName = keyof Requests;
export type Payload<N extends RequestName> = Requests[N]['payload'];
export type Answer<N extends RequestName> = Requests[N]['answer'];

/** Whoever can ask the server something; what `media` needs to know of the channel. */
export interface Signalling {
  request<N extends RequestName>(name: N, payload: Payload<N>): Promise<Answer<N>>;
}
