/**
 * The size of the tiles that fills a given area best. Pictures are cropped to their tile, so a tile may have any shape
 * between the narrowest that still shows a face and 16:9; the arrangement with the largest tiles wins.
 */

export interface Area {
  width: number;
  height: number;
}

export interface Grid {
  columns: number;
  rows: number;
  tileWidth: number;
  tileHeight: number;
  /** The area is too small for so many: the rows below its end are reached by scrolling. */
  scrolls: boolean;
}

export interface GridOptions {
  gap: number;
  /** Narrower than this and a name cannot be read any more. CSS pixels. */
  minTileWidth: number;
}

/** Narrower crops too much of a picture that is 16:9; a telephone held upright has no other room. */
const MIN_ASPECT_WIDE_AREA = 4 / 3;
const MIN_ASPECT_TALL_AREA = 3 / 4;
/** Cameras are not wider. */
const MAX_ASPECT = 16 / 9;
/** The shape of a tile when rows are scrolled. */
const SCROLL_ASPECT = 4 / 3;

export function fitGrid(count: number, area: Area, options: GridOptions): Grid {
  const empty: Grid = { columns: 1, rows: 1, tileWidth: 0, tileHeight: 0, scrolls: false };
  if (count <= 0 || area.width <= 0 || area.height <= 0) return empty;
  const minTileWidth = Math.min(options.minTileWidth, area.width);
  let best: Grid | undefined;
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    // Fewer columns give the same number of rows with wider tiles.
    if (columns > 1 && Math.ceil(count / (columns - 1)) === rows) continue;
    const candidate = gridOf(columns, rows, area, options.gap);
    if (candidate.tileWidth < minTileWidth) continue;
    if (best === undefined || sizeOf(candidate) > sizeOf(best)) best = candidate;
  }
  return best ?? scrolling(count, area, options);
}

function sizeOf({ tileWidth, tileHeight }: Grid): number {
  return tileWidth * tileHeight;
}

function gridOf(columns: number, rows: number, area: Area, gap: number): Grid {
  const minAspect = area.width >= area.height ? MIN_ASPECT_WIDE_AREA : MIN_ASPECT_TALL_AREA;
  const cellWidth = Math.max((area.width - gap * (columns - 1)) / columns, 0);
  const cellHeight = Math.max((area.height - gap * (rows - 1)) / rows, 0);
  return {
    columns,
    rows,
    tileWidth: Math.floor(Math.min(cellWidth, cellHeight * MAX_ASPECT)),
    tileHeight: Math.floor(Math.min(cellHeight, cellWidth / minAspect)),
    scrolls: false,
  };
}

function scrolling(count: number, area: Area, { gap, minTileWidth }: GridOptions): Grid {
  const columns = Math.max(Math.floor((area.width + gap) / (minTileWidth + gap)), 1);
  const tileWidth = Math.floor((area.width - gap * (columns - 1)) / columns);
  return {
    columns,
    rows: Math.ceil(count / columns),
    tileWidth,
    tileHeight: Math.floor(tileWidth / SCROLL_ASPECT),
    scrolls: true,
  };
}
