/** How loud a microphone is, for the meter before joining and for the ring around our own tile. */

/** The quietest that moves the meter, and the loudest, in dBFS. */
const FLOOR_DB = -60;
const CEILING_DB = -10;

export interface LevelMeter {
  /** Between 0 and 1, of the last few milliseconds. */
  read(): number;
  close(): void;
}

/** From samples to a bar between 0 and 1; loudness is heard in decibels, so the scale is in them. */
export function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / Math.max(samples.length, 1) + 1e-12);
  return Math.min(Math.max((decibels - FLOOR_DB) / (CEILING_DB - FLOOR_DB), 0), 1);
}

export function openLevelMeter(track: MediaStreamTrack): LevelMeter {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1024;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const wake = (): void => void context.resume().catch(() => undefined);
  // A page that was not clicked yet may have to wait for the first click.
  if (context.state === 'suspended') {
    wake();
    window.addEventListener('pointerdown', wake, { once: true });
  }
  return {
    read: () => {
      analyser.getFloatTimeDomainData(samples);
      return levelOf(samples);
    },
    close: () => {
      window.removeEventListener('pointerdown', wake);
      void context.close();
    },
  };
}
