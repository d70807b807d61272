/** Shows a track in a video element for as long as both exist. */

import type { Attachment } from 'svelte/attachments';

export function show(track: MediaStreamTrack): Attachment<HTMLVideoElement> {
  return (element) => {
    element.srcObject = new MediaStream([track]);
    // Without sound it may always play; a refusal means the element is already gone.
    element.play().catch(() => undefined);
    return () => {
      element.srcObject = null;
    };
  };
}
