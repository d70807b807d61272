/** What is remembered on this computer between visits, and within this tab across a reload. */

export interface Preferences {
  name: string;
  camera: boolean;
  microphone: boolean;
  cameraId: string;
  microphoneId: string;
  speakerId: string;
}

type Storage = Pick<globalThis.Storage, 'getItem' | 'setItem' | 'removeItem'>;

const KEY = 'studyhall';
const VISIT_KEY = 'studyhall.visit';

const DEFAULTS: Preferences = {
  name: '',
  camera: true,
  microphone: true,
  cameraId: '',
  microphoneId: '',
  speakerId: '',
};

/** Storage may be full, forbidden or hold anything: whatever does not fit is as if it were not there. */
export function loadPreferences(storage: Storage): Preferences {
  const kept = read(storage, KEY);
  const result: Record<string, unknown> = { ...DEFAULTS };
  for (const [name, value] of Object.entries(DEFAULTS)) {
    if (typeof kept[name] === typeof value) result[name] = kept[name];
  }
  return result as unknown as Preferences;
}

export function savePreferences(storage: Storage, preferences: Preferences): void {
  write(storage, KEY, preferences);
}

/** The room this tab sits in, so that a reload leads back to the seat without asking again. */
export function rememberVisit(storage: Storage, roomId: string): void {
  write(storage, VISIT_KEY, { roomId });
}

export function forgetVisit(storage: Storage): void {
  try {
    storage.removeItem(VISIT_KEY);
  } catch {
    // Nothing was kept then.
  }
}

export function visitedRoom(storage: Storage): string | undefined {
  const { roomId } = read(storage, VISIT_KEY);
  return typeof roomId === 'string' ? roomId : undefined;
}

function read(storage: Storage, key: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(storage.getItem(key) ?? '{}');
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function write(storage: Storage, key: string, value: unknown): void {
  try {
    storage.setItem(key, JSON.stringify(value));
  } catch {
    // Remembering is a comfort, not a need.
  }
}
