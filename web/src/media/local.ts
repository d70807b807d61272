/**
 * Our own camera, microphone and screen: opened, closed, exchanged. It lives longer than any connection, so a reconnect
 * publishes what is already running. A camera that is off is really off (its light too); a muted microphone stays open,
 * because opening it again takes seconds with some headsets, but gives silence.
 */

import { createCell, type Cell, type Readable } from '../store';
import { problemOf, type DeviceProblem } from './problems';

export interface Capture {
  status: 'off' | 'starting' | 'on' | 'failed';
  /** The camera's while it is on; the microphone's also while muted. */
  track: MediaStreamTrack | undefined;
  problem: DeviceProblem | undefined;
}

export interface DeviceChoice {
  id: string;
  label: string;
}

export interface LocalView {
  camera: Capture;
  microphone: Capture;
  screen: Capture;
  /** Sound of what is shared, where the browser gives it. */
  screenAudio: MediaStreamTrack | undefined;
  cameras: readonly DeviceChoice[];
  microphones: readonly DeviceChoice[];
  speakers: readonly DeviceChoice[];
  cameraId: string;
  microphoneId: string;
  speakerId: string;
}

export interface LocalOptions {
  cameraId: string;
  microphoneId: string;
  speakerId: string;
}

type Device = 'camera' | 'microphone';

const OFF: Capture = { status: 'off', track: undefined, problem: undefined };
const STARTING: Capture = { status: 'starting', track: undefined, problem: undefined };

const VIDEO: MediaTrackConstraints = {
  width: { ideal: 1280 },
  height: { ideal: 720 },
  frameRate: { ideal: 24, max: 30 },
};
const AUDIO: MediaTrackConstraints = {
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
};

export class LocalMedia {
  readonly #view: Cell<LocalView>;
  readonly #onDeviceChange = (): void => void this.#listDevices();
  /** The newest wish per device; an older one that comes back late is dropped. */
  readonly #wishes = { camera: 0, microphone: 0, screen: 0 };
  #closed = false;

  constructor(options: LocalOptions) {
    this.#view = createCell<LocalView>({
      camera: OFF,
      microphone: OFF,
      screen: OFF,
      screenAudio: undefined,
      cameras: [],
      microphones: [],
      speakers: [],
      ...options,
    });
    mediaDevices()?.addEventListener('devicechange', this.#onDeviceChange);
  }

  get view(): Readable<LocalView> {
    return this.#view;
  }

  /** Opens both with one question to the person; when that fails, each alone, to learn which of them is the trouble. */
  async start(wanted: { camera: boolean; microphone: boolean }): Promise<void> {
    if (wanted.camera && wanted.microphone) {
      const wishes = { camera: ++this.#wishes.camera, microphone: ++this.#wishes.microphone };
      this.#patch({ camera: STARTING, microphone: STARTING });
      try {
        const stream = await getUserMedia({
          video: this.#constraints('camera'),
          audio: this.#constraints('microphone'),
        });
        this.#adopt('camera', wishes.camera, stream.getVideoTracks()[0]);
        this.#adopt('microphone', wishes.microphone, stream.getAudioTracks()[0]);
        await this.#listDevices();
        return;
      } catch {
        // Asked again one by one below.
      }
    }
    if (wanted.microphone) await this.#open('microphone');
    if (wanted.camera) await this.#open('camera');
    await this.#listDevices();
  }

  async setCamera(on: boolean): Promise<void> {
    if (on) await this.#open('camera');
    else this.#shut('camera');
  }

  async setMicrophone(on: boolean): Promise<void> {
    const { track } = this.#view.get().microphone;
    if (track === undefined) {
      if (on) await this.#open('microphone');
      return;
    }
    track.enabled = on;
    this.#set('microphone', { status: on ? 'on' : 'off', track, problem: undefined });
  }

  async chooseCamera(deviceId: string): Promise<void> {
    this.#patch({ cameraId: deviceId });
    if (this.#view.get().camera.status !== 'off') await this.#open('camera');
  }

  async chooseMicrophone(deviceId: string): Promise<void> {
    this.#patch({ microphoneId: deviceId });
    const { status } = this.#view.get().microphone;
    this.#shut('microphone');
    if (status !== 'off') await this.#open('microphone');
  }

  chooseSpeaker(deviceId: string): void {
    this.#patch({ speakerId: deviceId });
  }

  /** Resolves when the person has chosen or refused; a refusal is not an error worth showing. */
  async startScreen(): Promise<void> {
    const wish = ++this.#wishes.screen;
    this.#patch({ screen: STARTING });
    try {
      const devices = mediaDevices();
      if (devices === undefined) throw unavailable();
      const stream = await devices.getDisplayMedia({
        video: { frameRate: { ideal: 15, max: 30 } },
        audio: true,
      });
      // Left, or stopped again, while the person was still choosing.
      if (wish !== this.#wishes.screen) {
        for (const late of stream.getTracks()) late.stop();
        return;
      }
      const track = stream.getVideoTracks()[0];
      if (track === undefined) throw new DOMException('no picture', 'NotFoundError');
      // Text must stay sharp; frames may be fewer.
      track.contentHint = 'detail';
      track.addEventListener('ended', () => {
        if (this.#view.get().screen.track === track) this.stopScreen();
      });
      this.#patch({
        screen: { status: 'on', track, problem: undefined },
        screenAudio: stream.getAudioTracks()[0],
      });
    } catch (error) {
      if (wish !== this.#wishes.screen) return;
      const problem = problemOf(error);
      this.#patch({
        screen: problem === 'refused' ? OFF : { status: 'failed', track: undefined, problem },
      });
    }
  }

  stopScreen(): void {
    this.#wishes.screen += 1;
    const { screen, screenAudio } = this.#view.get();
    screen.track?.stop();
    screenAudio?.stop();
    this.#patch({ screen: OFF, screenAudio: undefined });
  }

  /** Closes everything; the object is of no use afterwards. */
  close(): void {
    this.#closed = true;
    mediaDevices()?.removeEventListener('devicechange', this.#onDeviceChange);
    this.#shut('camera');
    this.#shut('microphone');
    this.stopScreen();
  }

  async #open(device: Device): Promise<void> {
    if (this.#closed) return;
    const wish = ++this.#wishes[device];
    const before = this.#view.get()[device].track;
    this.#set(device, STARTING);
    // Some cameras cannot be opened twice: close the old one first.
    before?.stop();
    try {
      const constraints = this.#constraints(device);
      const stream = await getUserMedia(
        device === 'camera' ? { video: constraints } : { audio: constraints },
      );
      this.#adopt(device, wish, stream.getTracks()[0]);
      await this.#listDevices();
    } catch (error) {
      if (wish !== this.#wishes[device]) return;
      this.#set(device, { status: 'failed', track: undefined, problem: problemOf(error) });
    }
  }

  #shut(device: Device): void {
    this.#wishes[device] += 1;
    this.#view.get()[device].track?.stop();
    this.#set(device, OFF);
  }

  #adopt(device: Device, wish: number, track: MediaStreamTrack | undefined): void {
    if (track === undefined) return;
    if (wish !== this.#wishes[device]) {
      track.stop();
      return;
    }
    if (device === 'camera') track.contentHint = 'motion';
    track.addEventListener('ended', () => {
      // Only the browser's own end comes here; stopping a track ourselves does not fire the event.
      if (this.#view.get()[device].track !== track) return;
      this.#set(device, { status: 'failed', track: undefined, problem: 'lost' });
    });
    this.#set(device, { status: 'on', track, problem: undefined });
  }

  #constraints(device: Device): MediaTrackConstraints {
    const { cameraId, microphoneId } = this.#view.get();
    const id = device === 'camera' ? cameraId : microphoneId;
    // Ideal, not exact: a device remembered from last time may be gone.
    const chosen = id === '' ? {} : { deviceId: { ideal: id } };
    return { ...(device === 'camera' ? VIDEO : AUDIO), ...chosen };
  }

  async #listDevices(): Promise<void> {
    const all = (await mediaDevices()?.enumerateDevices()) ?? [];
    const of = (kind: MediaDeviceKind, word: string): DeviceChoice[] =>
      all
        .filter((device) => device.kind === kind && device.deviceId !== '')
        .map((device, index) => ({
          id: device.deviceId,
          label: device.label === '' ? `${word} ${index + 1}` : device.label,
        }));
    this.#patch({
      cameras: of('videoinput', 'Camera'),
      microphones: of('audioinput', 'Microphone'),
      speakers: of('audiooutput', 'Speaker'),
    });
  }

  #set(device: Device, capture: Capture): void {
    this.#patch(device === 'camera' ? { camera: capture } : { microphone: capture });
  }

  #patch(change: Partial<LocalView>): void {
    this.#view.set({ ...this.#view.get(), ...change });
  }
}

/** Missing on pages that are not a secure context, whatever the type library says. */
function mediaDevices(): MediaDevices | undefined {
  return (navigator as { mediaDevices?: MediaDevices }).mediaDevices;
}

function getUserMedia(constraints: MediaStreamConstraints): Promise<MediaStream> {
  return mediaDevices()?.getUserMedia(constraints) ?? Promise.reject(unavailable());
}

function unavailable(): DOMException {
  return window.isSecureContext
    ? new DOMException('no media devices here', 'NotSupportedError')
    : new DOMException('not a secure context', 'InsecureError');
}
