/** Why a camera, a microphone or a screen could not be had: the browser's error as one of our words, and its sentence. */

export type DeviceProblem = 'refused' | 'missing' | 'busy' | 'lost' | 'insecure' | 'unsupported' | 'failed';

export type DeviceKind = 'camera' | 'microphone' | 'screen';

/** Names of errors: W3C Media Capture and Streams §10.6, and older spellings that browsers still use. */
export function problemOf(error: unknown): DeviceProblem {
  switch (error instanceof Error || error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
    case 'PermissionDeniedError':
    case 'SecurityError':
      return 'refused';
    case 'NotFoundError':
    case 'DevicesNotFoundError':
    case 'OverconstrainedError':
      return 'missing';
    case 'NotReadableError':
    case 'TrackStartError':
    case 'AbortError':
      return 'busy';
    case 'InsecureError':
      return 'insecure';
    case 'NotSupportedError':
      return 'unsupported';
    default:
      return 'failed';
  }
}

export function sentenceOf(kind: DeviceKind, problem: DeviceProblem): string {
  switch (problem) {
    case 'refused':
      return kind === 'screen'
        ? 'The screen was not shared, because the browser was told not to.'
        : `The browser may not use your ${kind}. Allow it by the icon beside the address, then try again.`;
    case 'missing':
      return kind === 'screen' ? 'There is no screen to share.' : `No ${kind} was found.`;
    case 'busy':
      return `Another program is using your ${kind}, or it did not start.`;
    case 'lost':
      return `Your ${kind} was unplugged or switched off.`;
    case 'insecure':
      return `Browsers give the ${kind} only to pages opened by https:// or on this computer by localhost.`;
    case 'unsupported':
      return `This browser cannot use the ${kind}.`;
    case 'failed':
      return `Your ${kind} could not be started.`;
  }
}
