/** Where tiles stand on a grid of twelve columns: moving one pushes those below it down, and none overlap. */

export interface TileDocument {
  kind: string;
  at: [number, number, number, number];
  [key: string]: unknown;
}

export const COLUMNS = 12;
const TALLEST = 12;
const LOWEST = 60;

const between = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));

/** A place that lies within the grid. */
export const bounded = ([x, y, w, h]: TileDocument["at"]): TileDocument["at"] => {
  const wide = between(w, 1, COLUMNS);
  return [between(x, 0, COLUMNS - wide), between(y, 0, LOWEST), wide, between(h, 1, TALLEST)];
};

const touch = (a: TileDocument["at"], b: TileDocument["at"]): boolean =>
  a[0] < b[0] + b[2] && b[0] < a[0] + a[2] && a[1] < b[1] + b[3] && b[1] < a[1] + a[3];

/** The tiles with one of them at a place; whatever it would lie on moves below it. */
export const placed = (tiles: readonly TileDocument[], which: number, at: TileDocument["at"]): TileDocument[] => {
  const found = tiles.map((tile, number) => ({ ...tile, at: number === which ? bounded(at) : tile.at }));
  const order = found.map((_, number) => number).sort((a, b) => found[a]!.at[1] - found[b]!.at[1] || found[a]!.at[0] - found[b]!.at[0]);
  const settled: number[] = [which];
  for (const number of order) {
    if (number === which) continue;
    const tile = found[number]!;
    let [x, y, w, h] = tile.at;
    for (let moved = true; moved; ) {
      moved = false;
      for (const other of settled) {
        const there = found[other]!.at;
        if (touch([x, y, w, h], there)) {
          y = there[1] + there[3];
          moved = true;
        }
      }
    }
    tile.at = [x, Math.min(y, LOWEST), w, h];
    settled.push(number);
  }
  return found;
};

/** The first free place for a tile of a size, from above. */
export const free = (tiles: readonly TileDocument[], [w, h]: [number, number]): TileDocument["at"] => {
  for (let y = 0; y < LOWEST; y += 1)
    for (let x = 0; x + w <= COLUMNS; x += 1)
      if (!tiles.some((tile) => touch([x, y, w, h], tile.at))) return [x, y, w, h];
  return [0, LOWEST, w, h];
};
