/** A box to be placed. Lengths are pixels. */
export interface Box {
  readonly id: string;
  readonly width: number;
  readonly height: number;
}

export interface Arrow {
  readonly from: string;
  readonly to: string;
}

export interface PlacedBox extends Box {
  /** Upper left corner. */
  readonly x: number;
  readonly y: number;
}

export interface Layout {
  readonly boxes: ReadonlyMap<string, PlacedBox>;
  readonly width: number;
  readonly height: number;
}

const COLUMN_GAP = 70;
const ROW_GAP = 12;
const MARGIN = 20;
/** Every sweep takes away crossings of arrows; more than a few find hardly any. */
const SWEEPS = 4;

/**
 * Boxes in columns, arrows leading to the right as far as there are no cycles; within a column close to what they are
 * joined to. Takes time in proportion to boxes and arrows (but for sorting), so that a large graph costs an agent no
 * more than it must.
 */
export function layOut(boxes: readonly Box[], arrows: readonly Arrow[]): Layout {
  const known = new Set(boxes.map(({ id }) => id));
  const drawn = arrows.filter(({ from, to }) => known.has(from) && known.has(to) && from !== to);
  const successors = adjacency(drawn, "from", "to");
  const predecessors = adjacency(drawn, "to", "from");
  const columns = inColumns(boxes, successors, predecessors);
  const positions = new Map<string, number>();
  for (const column of columns) noteOrder(column, positions);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (const column of columns) sortByNeighbours(column, positions, predecessors);
    for (const column of columns.toReversed()) sortByNeighbours(column, positions, successors);
  }
  return place(columns, predecessors);
}

type Adjacency = ReadonlyMap<string, readonly string[]>;

function adjacency(arrows: readonly Arrow[], key: keyof Arrow, other: keyof Arrow): Adjacency {
  const found = new Map<string, string[]>();
  for (const arrow of arrows) {
    const list = found.get(arrow[key]);
    if (list === undefined) found.set(arrow[key], [arrow[other]]);
    else list.push(arrow[other]);
  }
  return found;
}

/** A box comes one column behind the last of its predecessors; a cycle is cut where it is met first. */
function inColumns(boxes: readonly Box[], successors: Adjacency, predecessors: Adjacency): Box[][] {
  const rank = new Map<string, number>();
  const waiting = new Map(boxes.map(({ id }) => [id, predecessors.get(id)?.length ?? 0]));
  const ready: string[] = [];
  const settle = (first: string): void => {
    ready.push(first);
    for (let id = ready.pop(); id !== undefined; id = ready.pop()) {
      waiting.delete(id);
      const next = (rank.get(id) ?? 0) + 1;
      rank.set(id, next - 1);
      for (const successor of successors.get(id) ?? []) {
        const left = waiting.get(successor);
        if (left === undefined) continue;
        rank.set(successor, Math.max(rank.get(successor) ?? 0, next));
        waiting.set(successor, left - 1);
        if (left === 1) ready.push(successor);
      }
    }
  };
  for (const { id } of boxes) if (waiting.get(id) === 0) settle(id);
  for (const { id } of boxes) if (waiting.has(id)) settle(id);
  const columns: Box[][] = [];
  for (const box of boxes) {
    const column = rank.get(box.id) ?? 0;
    while (columns.length <= column) columns.push([]);
    columns[column]?.push(box);
  }
  return columns;
}

/** Sorts a column by the mean position of what its boxes are joined to on one side. */
function sortByNeighbours(column: Box[], positions: Map<string, number>, neighbours: Adjacency): void {
  const wish = new Map(
    column.map(({ id }) => {
      const at = (neighbours.get(id) ?? []).map((other) => positions.get(other) ?? 0);
      return [id, at.length === 0 ? (positions.get(id) ?? 0) : mean(at)];
    }),
  );
  column.sort((a, b) => (wish.get(a.id) ?? 0) - (wish.get(b.id) ?? 0));
  noteOrder(column, positions);
}

/** Positions in a column: from 0 (top) to 1 (bottom), so that columns of different lengths compare. */
function noteOrder(column: readonly Box[], positions: Map<string, number>): void {
  for (const [index, { id }] of column.entries()) positions.set(id, index / column.length);
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

/** Each box beside its predecessors, or as close below as there is room. */
function place(columns: readonly (readonly Box[])[], predecessors: Adjacency): Layout {
  const boxes = new Map<string, PlacedBox>();
  let x = MARGIN;
  let height = 0;
  for (const column of columns) {
    let y = MARGIN;
    for (const box of column) {
      const tops = (predecessors.get(box.id) ?? []).flatMap((id) => boxes.get(id)?.y ?? []);
      if (tops.length > 0) y = Math.max(y, mean(tops));
      boxes.set(box.id, { ...box, x, y });
      y += box.height + ROW_GAP;
    }
    x += Math.max(...column.map(({ width }) => width)) + COLUMN_GAP;
    height = Math.max(height, y);
  }
  return { boxes, width: x - COLUMN_GAP + MARGIN, height: height - ROW_GAP + MARGIN };
}
