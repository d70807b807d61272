/** In which sizes a picture is sent, and how many bits each may cost. */

import type { types } from 'mediasoup-client';

/** Bit/s. Every size keeps three frame rates, so that a thin link can be sent fewer frames. */
const TEMPORAL = 'L1T3';

/**
 * Browsers send no more sizes than a picture is worth, and drop the large ones first (libwebrtc, `simulcast.cc`): a small
 * camera with three sizes would end as a stamp. So a picture is offered in as many sizes as will be sent.
 */
export function cameraLayers(picture: MediaTrackSettings): types.RtpEncodingParameters[] {
  const pixels = (picture.width ?? 1280) * (picture.height ?? 720);
  if (pixels >= 960 * 540) {
    return [layer(4, 120_000), layer(2, 350_000), layer(1, 1_200_000)];
  }
  if (pixels >= 480 * 270) return [layer(2, 150_000), layer(1, 600_000)];
  return [layer(1, 300_000)];
}

/** One size: text that is scaled down cannot be read, so nobody would watch the others. */
export function screenLayers(): types.RtpEncodingParameters[] {
  return [{ maxBitrate: 2_500_000 }];
}

function layer(scaleResolutionDownBy: number, maxBitrate: number): types.RtpEncodingParameters {
  return { scaleResolutionDownBy, maxBitrate, scalabilityMode: TEMPORAL };
}
