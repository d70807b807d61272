import { expect, it } from 'vitest';

import { cameraLayers, screenLayers } from './layers';

it.each([
  [{ width: 1280, height: 720 }, [4, 2, 1]],
  [{ width: 720, height: 1280 }, [4, 2, 1]],
  [{ width: 960, height: 540 }, [4, 2, 1]],
  [{ width: 640, height: 480 }, [2, 1]],
  [{ width: 320, height: 240 }, [1]],
  [{}, [4, 2, 1]],
])('sends %j in as many sizes as the browser will', (picture, scales) => {
  expect(cameraLayers(picture).map(({ scaleResolutionDownBy }) => scaleResolutionDownBy)).toEqual(scales);
});

it('gives larger sizes more bits', () => {
  const rates = cameraLayers({ width: 1280, height: 720 }).map(({ maxBitrate }) => maxBitrate ?? 0);
  expect(rates).toEqual([...rates].sort((a, b) => a - b));
});

it('gives a screen enough bits for text', () => {
  expect(screenLayers()[0]?.maxBitrate).toBeGreaterThanOrEqual(1_500_000);
});
