/** From the room's state to what is drawn: a tile for each person, a place on the stage for each shared screen. */

import type { Connection, NewProducer, Source, Status } from '../protocol/generated/messages';
import type { RoomView } from './room';

export interface Tile {
  participantId: string;
  name: string;
  isSelf: boolean;
  /** The producer whose picture fills the tile; without it the initials are shown. */
  cameraId: string | undefined;
  micOn: boolean;
  /** How well their media get through. */
  connection: Connection;
  speaking: boolean;
  /** How loud; 0 to 1. */
  loudness: number;
  /** They lead the conversation. */
  leading: boolean;
  /** Their picture is not sent, because our connection is too slow. */
  starved: boolean;
  pinned: boolean;
  /** What they are at. */
  status: Status;
  /** They want to say something. */
  handRaised: boolean;
}

/** What is seen large: a screen that somebody else shows (our own is in front of us anyway), or who was pinned. */
export interface Share {
  producerId: string;
  /** What it is. */
  title: string;
  isScreen: boolean;
  participantId: string;
  /** It is not sent, because our connection is too slow. */
  starved: boolean;
}

/** What our own devices do; the server does not tell us about ourselves. */
export interface SelfMedia {
  micOn: boolean;
  cameraOn: boolean;
}

/** The name under which our own picture is found; no producer of the server is called like that. */
export const OWN_CAMERA = 'own-camera';

/** Ourselves first, then the others in the order of their arrival. */
export function tilesOf(state: RoomView, self: SelfMedia): Tile[] {
  const sending = bySource(state);
  const tiles = state.participants.map((person): Tile => {
    const isSelf = person.id === state.selfId;
    const producers = sending.get(person.id);
    const camera = producers?.get('camera');
    const mic = producers?.get('mic');
    const remoteCamera =
      camera === undefined || camera.paused || state.audioOnly ? undefined : camera.producerId;
    return {
      participantId: person.id,
      name: person.displayName,
      isSelf,
      cameraId: isSelf ? (self.cameraOn ? OWN_CAMERA : undefined) : remoteCamera,
      micOn: isSelf ? self.micOn : mic !== undefined && !mic.paused,
      connection: person.connection,
      speaking: state.speaking.has(person.id),
      loudness: state.loudness.get(person.id) ?? 0,
      leading: state.leaderId === person.id,
      starved: remoteCamera !== undefined && state.starved.has(remoteCamera),
      pinned: state.pinnedId === person.id,
      status: person.status,
      handRaised: person.handRaised,
    };
  });
  return [...tiles.filter((tile) => tile.isSelf), ...tiles.filter((tile) => !tile.isSelf)];
}

export function sharesOf(state: RoomView): Share[] {
  const others = [...state.producers.values()].filter(
    ({ paused, participantId }) => !paused && participantId !== state.selfId,
  );
  const screens = others.filter(({ source }) => source === 'screen');
  const pinned = others.filter(
    ({ source, participantId }) =>
      source === 'camera' && participantId === state.pinnedId && !state.audioOnly,
  );
  const shareOf = ({ producerId, participantId, source }: NewProducer): Share => ({
    producerId,
    participantId,
    title: nameOf(state, participantId) + (source === 'screen' ? '’s screen' : ''),
    isScreen: source === 'screen',
    starved: state.starved.has(producerId),
  });
  return [...screens, ...pinned].map(shareOf);
}

function nameOf(state: RoomView, participantId: string): string {
  return state.participants.find(({ id }) => id === participantId)?.displayName ?? 'Somebody';
}

function bySource(state: RoomView): Map<string, Map<Source, NewProducer>> {
  const people = new Map<string, Map<Source, NewProducer>>();
  for (const producer of state.producers.values()) {
    let sources = people.get(producer.participantId);
    if (sources === undefined) people.set(producer.participantId, (sources = new Map<Source, NewProducer>()));
    sources.set(producer.source, producer);
  }
  return people;
}
