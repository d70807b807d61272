/**
 * What travels between client and server, by name: the payload and answer of each request, and the payload of each
 * event. RTP, ICE and DTLS parameters are opaque here; `media` hands them to mediasoup-client.
 */

/** Parameters that only mediasoup-client and the server look into. */
export type Opaque = unknown;

export type Kind = 'audio' | 'video';
export type Source = 'mic' | 'camera' | 'screen' | 'screen-audio';
export type Direction = 'send' | 'recv';
export type Presence = 'on' | 'paused' | 'off';

export interface Participant {
  id: string;
  displayName: string;
  role: 'host' | 'moderator' | 'member' | 'guest';
  audio: Presence;
  video: Presence;
  screen: Presence;
  joinedAtMs: number;
}

export interface RoomInfo {
  id: string;
  name: string;
  topic: string;
  capacity: number;
  occupancy: number;
}

export interface RoomState {
  self: { participantId: string; role: string; resumeToken: string };
  room: RoomInfo;
  participants: Participant[];
  iceServers: RTCIceServer[];
  serverTimeMs: number;
}

export interface NewProducer {
  producerId: string;
  participantId: string;
  kind: Kind;
  source: Source;
  paused: boolean;
}

export interface TransportOptions {
  id: string;
  iceParameters: Opaque;
  iceCandidates: Opaque;
  dtlsParameters: Opaque;
  iceServers?: RTCIceServer[];
}

export interface ConsumerOptions {
  id: string;
  producerId: string;
  participantId: string;
  kind: Kind;
  source: Source;
  rtpParameters: Opaque;
  type: string;
  producerPaused: boolean;
}

export interface ConsumeRefusal {
  producerId: string;
  error: string;
  code?: string;
}
