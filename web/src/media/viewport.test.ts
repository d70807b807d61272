import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { ViewportTile } from '../protocol/generated/messages';
import { Viewport, type Place } from './viewport';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const at = (producerId: string, width: number, height: number, how: Partial<Place> = {}): Place => ({
  producerId,
  width,
  height,
  pinned: false,
  floating: false,
  ...how,
});

class World {
  readonly told: ViewportTile[][] = [];
  fail = false;
  ratio = 2;
  delay: Promise<void> = Promise.resolve();
  readonly viewport = new Viewport(
    (tiles) => {
      this.told.push(tiles);
      return this.fail ? Promise.reject(new Error('offline')) : this.delay;
    },
    () => this.ratio,
  );

  /** What was told since the last look, as short text. */
  async after(ms: number): Promise<string[]> {
    await vi.advanceTimersByTimeAsync(ms);
    return this.told
      .splice(0)
      .map((tiles) =>
        tiles
          .map(
            ({ producerId, width, height, pinned }) =>
              `${producerId} ${width}x${height}${pinned === true ? '!' : ''}`,
          )
          .join(', '),
      );
  }
}

describe('Viewport', () => {
  it('tells what appears at once and together, in pixels of the device', async () => {
    const world = new World();
    world.viewport.place(1, at('b', 160, 90));
    world.viewport.restart();
    world.viewport.place(2, at('a', 300, 170));
    expect(await world.after(30)).toEqual(['a 608x352, b 320x192']);
  });

  it('tells what goes or shrinks a moment later, and nothing when it is back by then', async () => {
    const world = new World();
    world.viewport.restart();
    world.viewport.place(1, at('a', 160, 90));
    await world.after(30);
    world.viewport.remove(1);
    expect(await world.after(100)).toEqual([]);
    world.viewport.place(1, at('a', 160, 90));
    expect(await world.after(1000)).toEqual([]);
    world.viewport.remove(1);
    expect(await world.after(1000)).toEqual(['']);
  });

  it('does not tell of a few pixels', async () => {
    const world = new World();
    world.viewport.restart();
    world.viewport.place(1, at('a', 157, 90));
    await world.after(30);
    world.viewport.place(1, at('a', 160, 92));
    expect(await world.after(1000)).toEqual([]);
  });

  it('tells of a picture that is shown twice once, in the larger size', async () => {
    const world = new World();
    world.viewport.restart();
    world.viewport.place(1, at('a', 160, 96));
    world.viewport.place(2, at('a', 80, 200, { pinned: true }));
    expect(await world.after(30)).toEqual(['a 320x400!']);
  });

  it('shows nothing while the window is hidden, and says so without waiting for a timer', async () => {
    const world = new World();
    world.viewport.restart();
    world.viewport.place(1, at('a', 160, 96));
    await world.after(30);
    world.viewport.setWindowHidden(true);
    expect(await world.after(0)).toEqual(['']);
    world.viewport.place(2, at('b', 160, 96));
    expect(await world.after(1000)).toEqual([]);
    world.viewport.setWindowHidden(false);
    expect(await world.after(0)).toEqual(['a 320x192, b 320x192']);
  });

  it('goes on showing what floats above other windows', async () => {
    const world = new World();
    world.viewport.restart();
    world.viewport.place(1, at('a', 160, 96));
    world.viewport.place(2, at('b', 320, 176, { floating: true }));
    await world.after(30);
    world.viewport.setWindowHidden(true);
    expect(await world.after(0)).toEqual(['b 640x352']);
  });

  it('tells of a change that came while the answer was under way', async () => {
    const world = new World();
    world.viewport.restart();
    world.viewport.place(1, at('a', 160, 96));
    let answer = (): void => undefined;
    world.delay = new Promise((resolve) => (answer = resolve));
    expect(await world.after(30)).toHaveLength(1);
    world.viewport.setWindowHidden(true);
    world.viewport.setWindowHidden(false);
    world.viewport.setWindowHidden(true);
    expect(await world.after(1000)).toEqual([]);
    answer();
    expect(await world.after(0)).toEqual(['']);
  });

  it('tells other sizes when the window comes to another screen', async () => {
    const world = new World();
    world.viewport.restart();
    world.viewport.place(1, at('a', 160, 96));
    await world.after(30);
    world.ratio = 3;
    world.viewport.measure();
    expect(await world.after(30)).toEqual(['a 480x288']);
  });

  it('tells everything again to a new seat, and after a failure', async () => {
    const world = new World();
    world.viewport.restart();
    world.viewport.place(1, at('a', 160, 96));
    await world.after(30);
    world.viewport.restart();
    expect(await world.after(30)).toEqual(['a 320x192']);
    world.fail = true;
    world.viewport.place(2, at('b', 16, 16));
    expect(await world.after(100)).toHaveLength(1);
    world.fail = false;
    expect(await world.after(3000)).toEqual(['a 320x192, b 32x32']);
  });
});
