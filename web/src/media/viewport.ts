/**
 * Tells the server what is on the screen: other pictures are not sent, and what is shown comes in the size it is shown in.
 * What appears or grows is told at once, what goes or shrinks a moment later, so that scrolling through a grid is one
 * message and not twenty.
 */

import type { ViewportTile } from '../protocol/generated/messages';

/** Where one picture is shown, in CSS pixels. */
export interface Place {
  producerId: string;
  width: number;
  height: number;
  pinned: boolean;
  /** It floats above other windows (picture-in-picture), so it is seen while ours is hidden. */
  floating: boolean;
}

export type SendViewport = (tiles: ViewportTile[]) => Promise<unknown>;

/** Sizes are told in steps of this many pixels: nobody sees less, and a dragged window is no flood of messages. */
const STEP_PIXELS = 16;
/** For what appears or grows: as much as comes together. */
const SOON_MS = 20;
/** For what goes or shrinks. */
const LATER_MS = 150;
/** After a message that did not get through. */
const RETRY_MS = 2_000;

export class Viewport {
  readonly #send: SendViewport;
  readonly #ratio: () => number;
  readonly #places = new Map<unknown, Place>();
  #sent: ViewportTile[] | undefined;
  #windowHidden = false;
  #timer: { handle: ReturnType<typeof setTimeout>; at: number } | undefined;
  #sending = false;
  #open = false;

  constructor(send: SendViewport, ratio: () => number = () => window.devicePixelRatio) {
    this.#send = send;
    this.#ratio = ratio;
  }

  /** `key` shows a picture in this place now. */
  place(key: unknown, place: Place): void {
    this.#places.set(key, place);
    this.#change();
  }

  /** `key` is not on the screen any more. */
  remove(key: unknown): void {
    if (this.#places.delete(key)) this.#change();
  }

  /** The whole window is or is not on the screen. Told at once: the timers of a hidden window may sleep for a second. */
  setWindowHidden(hidden: boolean): void {
    if (hidden === this.#windowHidden) return;
    this.#windowHidden = hidden;
    if (this.#open) void this.#flush();
  }

  /** The screen has other pixels now: the window was drawn to another one. */
  measure(): void {
    this.#change();
  }

  /** The server knows nothing yet: there is a new seat. */
  restart(): void {
    this.#open = true;
    this.#sent = undefined;
    this.#change();
  }

  close(): void {
    this.#open = false;
    clearTimeout(this.#timer?.handle);
    this.#timer = undefined;
  }

  /** Each picture once, in the largest of its places. */
  #tiles(): ViewportTile[] {
    const ratio = this.#ratio();
    const pixels = (css: number): number => Math.ceil((css * ratio) / STEP_PIXELS) * STEP_PIXELS;
    const tiles = new Map<string, ViewportTile>();
    for (const { producerId, width, height, pinned, floating } of this.#places.values()) {
      if (this.#windowHidden && !floating) continue;
      const known = tiles.get(producerId);
      tiles.set(producerId, {
        producerId,
        width: Math.max(pixels(width), known?.width ?? 0),
        height: Math.max(pixels(height), known?.height ?? 0),
        pinned: pinned || known?.pinned === true,
      });
    }
    return [...tiles.values()].sort((a, b) => (a.producerId < b.producerId ? -1 : 1));
  }

  #change(): void {
    if (!this.#open) return;
    const tiles = this.#tiles();
    if (this.#sent !== undefined && isSame(tiles, this.#sent)) return;
    const isMore = this.#sent === undefined || tiles.some((tile) => exceeds(tile, this.#sent ?? []));
    this.#plan(isMore ? SOON_MS : LATER_MS);
  }

  #plan(delayMs: number): void {
    const at = Date.now() + delayMs;
    if (this.#timer !== undefined && this.#timer.at <= at) return;
    clearTimeout(this.#timer?.handle);
    this.#timer = { handle: setTimeout(() => void this.#flush(), delayMs), at };
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer?.handle);
    this.#timer = undefined;
    // The answer to the one before plans what changed meanwhile.
    if (this.#sending || !this.#open) return;
    const tiles = this.#tiles();
    if (this.#sent !== undefined && isSame(tiles, this.#sent)) return;
    this.#sending = true;
    this.#sent = tiles;
    try {
      await this.#send(tiles);
      this.#sending = false;
      if (this.#windowHidden) void this.#flush();
      else this.#change();
    } catch {
      // Nothing is lost: a new seat starts anew, and all else is tried again.
      this.#sending = false;
      this.#sent = undefined;
      this.#plan(RETRY_MS);
    }
  }
}

function isSame(a: readonly ViewportTile[], b: readonly ViewportTile[]): boolean {
  return (
    a.length === b.length &&
    a.every((tile, index) => {
      const other = b[index];
      return (
        other !== undefined &&
        tile.producerId === other.producerId &&
        tile.width === other.width &&
        tile.height === other.height &&
        tile.pinned === other.pinned
      );
    })
  );
}

/** Whether the tile needs more than was told of it. */
function exceeds(tile: ViewportTile, told: readonly ViewportTile[]): boolean {
  const known = told.find(({ producerId }) => producerId === tile.producerId);
  return (
    known === undefined ||
    tile.width > known.width ||
    tile.height > known.height ||
    (tile.pinned === true && known.pinned !== true)
  );
}
