/** What is typed about a room, and what of it is told to the server: pure. */

import type {
  CameraPolicy,
  CreateRoom,
  Openness,
  Policy,
  PolicyChange,
  RoomInfo,
  TimerControl,
  Visibility,
} from '../protocol/generated/messages';
import type { RoomChange } from '../protocol/api';
import { lengthOf, type FormProblem } from './forms';

export const MAX_ROOM_NAME = 80;
export const MAX_TOPIC = 200;
const MIN_PASSWORD = 4;
const MAX_PASSWORD = 200;

export interface RoomForm {
  name: string;
  topic: string;
  language: string;
  /** As typed; empty: as usual. */
  capacity: string;
  visibility: Visibility;
  /** Empty: none, or the one that is there. */
  password: string;
  /** Of a room that has one: it shall have none any more. */
  withoutPassword: boolean;
  locked: boolean;
  mics: Openness;
  camera: CameraPolicy;
  chat: Openness;
  timerControl: TimerControl;
  guests: boolean;
  waitingRoom: boolean;
  /** As typed; empty: as configured. */
  loudest: string;
  slowModeSeconds: number;
}

export const EMPTY_ROOM: RoomForm = {
  name: '',
  topic: '',
  language: '',
  capacity: '',
  visibility: 'public',
  password: '',
  withoutPassword: false,
  locked: false,
  mics: 'open',
  camera: 'optional',
  chat: 'open',
  timerControl: 'everyone',
  guests: true,
  waitingRoom: false,
  loudest: '',
  slowModeSeconds: 0,
};

export function formOf(room: RoomInfo): RoomForm {
  const { name, topic, language, visibility, locked, policy } = room;
  const { loudest, ...rules } = policy;
  return {
    ...EMPTY_ROOM,
    name,
    topic,
    language,
    capacity: String(room.capacity),
    visibility,
    locked,
    ...rules,
    loudest: loudest === null ? '' : String(loudest),
  };
}

/** The first thing that is wrong; `room`: the one that is changed. */
export function checkRoom(form: RoomForm, room?: RoomInfo): FormProblem | undefined {
  const name = lengthOf(form.name.trim());
  if (name === 0) return { field: 'name', sentence: 'Give the room a name.' };
  if (name > MAX_ROOM_NAME) {
    return { field: 'name', sentence: `A name has at most ${MAX_ROOM_NAME} characters.` };
  }
  if (lengthOf(form.topic.trim()) > MAX_TOPIC) {
    return { field: 'topic', sentence: `A topic has at most ${MAX_TOPIC} characters.` };
  }
  if (form.capacity.trim() !== '' && !isWhole(form.capacity, 1)) {
    return { field: 'capacity', sentence: 'Enter how many seats there are: 1 or more.' };
  }
  if (room !== undefined && form.capacity.trim() === '') {
    return { field: 'capacity', sentence: 'Enter how many seats there are.' };
  }
  if (form.loudest.trim() !== '' && !isWhole(form.loudest, 0)) {
    return { field: 'loudest', sentence: 'Enter a whole number, 0 for all, or nothing.' };
  }
  return checkPassword(form);
}

function checkPassword({ visibility, password }: RoomForm): FormProblem | undefined {
  const length = lengthOf(password);
  // Without one there are invites.
  if (visibility !== 'private' || length === 0) return undefined;
  if (length >= MIN_PASSWORD && length <= MAX_PASSWORD) return undefined;
  return {
    field: 'password',
    sentence: `A password has ${MIN_PASSWORD} to ${MAX_PASSWORD} characters.`,
  };
}

function isWhole(text: string, least: number): boolean {
  return /^\d{1,6}$/.test(text.trim()) && Number(text) >= least;
}

export function creationOf(form: RoomForm): CreateRoom {
  const { language, visibility } = form;
  return {
    name: form.name.trim(),
    topic: form.topic.trim(),
    visibility,
    ...(language === '' ? {} : { language }),
    ...(form.capacity.trim() === '' ? {} : { capacity: Number(form.capacity) }),
    ...(visibility === 'private' && form.password !== '' ? { password: form.password } : {}),
    policy: policyOf(form),
  };
}

/** Only what is different: others may have changed the rest meanwhile. */
export function changeOf(form: RoomForm, room: RoomInfo): RoomChange {
  const before = formOf(room);
  const change: RoomChange = {};
  if (form.name.trim() !== before.name) change.name = form.name.trim();
  if (form.topic.trim() !== before.topic) change.topic = form.topic.trim();
  if (form.language !== before.language) change.language = form.language;
  if (form.capacity.trim() !== before.capacity) change.capacity = Number(form.capacity);
  if (form.visibility !== before.visibility) change.visibility = form.visibility;
  if (form.locked !== before.locked) change.locked = form.locked;
  if (form.visibility === 'private') {
    if (form.withoutPassword) change.password = null;
    else if (form.password !== '') change.password = form.password;
  }
  const rules = changedRules(policyOf(form), room.policy);
  if (Object.keys(rules).length > 0) change.policy = rules;
  return change;
}

function policyOf(form: RoomForm): PolicyChange {
  const { mics, camera, chat, timerControl, guests, waitingRoom, slowModeSeconds } = form;
  const policy: PolicyChange = { mics, camera, chat, timerControl, guests, waitingRoom, slowModeSeconds };
  if (form.loudest.trim() !== '') policy.loudest = Number(form.loudest);
  return policy;
}

function changedRules(policy: PolicyChange, before: Policy): PolicyChange {
  const changed = Object.entries(policy).filter(([name, value]) => before[name as keyof Policy] !== value);
  return Object.fromEntries(changed);
}

/** Most spoken first is no order that is fair to anybody: by name. */
const LANGUAGES =
  'ar bg bn ca cs da de el en es et eu fa fi fr ga gl he hi hr hu id is it ja ka ko lt lv ms nb nl pl pt ro ru sk sl sq sr sv sw ta th tr uk ur vi zh'.split(
    ' ',
  );

export interface Language {
  code: string;
  name: string;
}

/** `also`: one that a room has, and is listed too. */
export function languages(also: string, locale?: string): Language[] {
  const codes = also === '' || LANGUAGES.includes(also) ? LANGUAGES : [...LANGUAGES, also];
  return codes
    .map((code) => ({ code, name: languageName(code, locale) }))
    .sort((one, other) => one.name.localeCompare(other.name, locale));
}

/** The code itself where nobody knows its name. */
export function languageName(code: string, locale?: string): string {
  try {
    return new Intl.DisplayNames(locale ?? 'en', { type: 'language' }).of(code) ?? code;
  } catch {
    return code;
  }
}
