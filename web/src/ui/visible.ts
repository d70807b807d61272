/** Tells the viewport where an element is on the screen, for as long as it is. */

import type { Attachment } from 'svelte/attachments';

import type { Viewport } from '../media/viewport';

/** So much of an element must be seen to count: a line of pixels at the edge of a scrolled grid is nobody's face. */
const SEEN = 0.05;

export function visible(
  viewport: Viewport,
  producerId: string | undefined,
  pinned = false,
): Attachment<HTMLElement> {
  return (element) => {
    if (producerId === undefined) return undefined;
    let seen = false;
    let floating: PictureInPictureWindow | undefined;
    const tell = (): void => {
      const { clientWidth: width, clientHeight: height } = element;
      if (floating !== undefined) {
        viewport.place(element, {
          producerId,
          width: floating.width,
          height: floating.height,
          pinned: true,
          floating: true,
        });
      } else if (seen && width > 0 && height > 0) {
        viewport.place(element, { producerId, width, height, pinned, floating: false });
      } else viewport.remove(element);
    };
    const intersections = new IntersectionObserver(
      (entries) => {
        seen = (entries.at(-1)?.intersectionRatio ?? 0) >= SEEN;
        tell();
      },
      { threshold: [0, SEEN] },
    );
    const sizes = new ResizeObserver(tell);
    // The events of the picture inside come up to here.
    const float = (event: Event): void => {
      floating = (event as PictureInPictureEvent).pictureInPictureWindow;
      floating.addEventListener('resize', tell);
      tell();
    };
    const land = (): void => {
      floating = undefined;
      tell();
    };
    intersections.observe(element);
    sizes.observe(element);
    element.addEventListener('enterpictureinpicture', float);
    element.addEventListener('leavepictureinpicture', land);
    return () => {
      intersections.disconnect();
      sizes.disconnect();
      element.removeEventListener('enterpictureinpicture', float);
      element.removeEventListener('leavepictureinpicture', land);
      viewport.remove(element);
    };
  };
}
