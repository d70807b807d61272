/** Tells the viewport where an element is on the screen, for as long as it is. */

import type { Attachment } from 'svelte/attachments';

import type { Viewport } from '../media/viewport';

/** So much of an element must be seen to count. */
const SEEN = 0.05;

export function visible(
  viewport: Viewport,
  producerId: string | undefined,
  pinned = false,
): Attachment<HTMLElement> {
  return (element) => {
    if (producerId === undefined) return undefined;
    let seen = false;
    const tell = (): void => {
      const { clientWidth: width, clientHeight: height } = element;
      if (seen && width > 0 && height > 0) viewport.place(element, { producerId, width, height, pinned });
      else viewport.remove(element);
    };
    const intersections = new IntersectionObserver(
      (entries) => {
        seen = entries.at(-1)?.isIntersecting === true;
        tell();
      },
      { threshold: [0, SEEN] },
    );
    const sizes = new ResizeObserver(tell);
    intersections.observe(element);
    sizes.observe(element);
    return () => {
      intersections.disconnect();
      sizes.disconnect();
      viewport.remove(element);
    };
  };
}
