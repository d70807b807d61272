/**
 * Makes the others heard: one audio element for each remote sound. Browsers may refuse to play before the page was
 * clicked; then `onBlocked(true)` asks for that click and `unblock` uses it.
 */

export class Playback {
  readonly #elements = new Map<string, HTMLAudioElement>();
  readonly #onBlocked: (blocked: boolean) => void;
  #speakerId = '';

  constructor(onBlocked: (blocked: boolean) => void) {
    this.#onBlocked = onBlocked;
  }

  add(id: string, track: MediaStreamTrack): void {
    this.remove(id);
    const element = new Audio();
    element.srcObject = new MediaStream([track]);
    this.#elements.set(id, element);
    void this.#route(element);
    void this.#play(element);
  }

  remove(id: string): void {
    const element = this.#elements.get(id);
    if (element === undefined) return;
    element.pause();
    element.srcObject = null;
    this.#elements.delete(id);
  }

  clear(): void {
    for (const id of [...this.#elements.keys()]) this.remove(id);
  }

  /** To be called from the handler of a click. */
  unblock(): void {
    this.#onBlocked(false);
    for (const element of this.#elements.values()) void this.#play(element);
  }

  setSpeaker(deviceId: string): void {
    if (deviceId === this.#speakerId) return;
    this.#speakerId = deviceId;
    for (const element of this.#elements.values()) void this.#route(element);
  }

  async #play(element: HTMLAudioElement): Promise<void> {
    try {
      await element.play();
    } catch (error) {
      if (error instanceof DOMException && error.name === 'NotAllowedError') this.#onBlocked(true);
      // Anything else is an element that was removed while it started.
    }
  }

  async #route(element: HTMLAudioElement): Promise<void> {
    // Not every browser can choose; a speaker that is gone leaves the default one.
    if (!('setSinkId' in element)) return;
    await element.setSinkId(this.#speakerId).catch(() => undefined);
  }
}
