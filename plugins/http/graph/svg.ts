import type { GraphEdge, GraphSnapshot, ValueRecord, ValueState } from "#core/scheduler/api/scheduler.js";
import { type Box, layOut, type PlacedBox } from "./layout.js";

const FONT_SIZE = 11;
/** Of a character in a monospaced font of that size. */
const CHARACTER_WIDTH = 6.7;
const LINE_HEIGHT = 15;
const PADDING = 7;
/** Longer lines are cut; the tooltip has them in full. */
const LONGEST_LINE = 72;

const COLOURS: Readonly<Partial<Record<ValueState, string>>> = {
  CONFIGURED: "#cdeccd",
  OBTAINED: "#cfe4f7",
  DISCOVERED: "#e3e3e3",
  PENDING: "#f7eaa8",
  MISSING: "#f7d3a8",
  UNIMPLEMENTED: "#f7d3a8",
  INVALID: "#f6c6cf",
  FAILED: "#f4b0a4",
  RETRYING: "#f4b0a4",
};

/**
 * The graph as a picture that needs nothing beside it: values in columns, what they derive and depend on to their right.
 * A dependency that nothing satisfies is dashed and red, and leads to a box with a dashed border.
 */
export function toSvg(snapshot: GraphSnapshot): string {
  const known = new Set(snapshot.values.map(({ key }) => key));
  const absent = new Set(snapshot.edges.map(({ to }) => to).filter((key) => !known.has(key)));
  const lines = new Map<string, readonly string[]>([
    ...snapshot.values.map((value) => [value.key, linesOf(value)] as const),
    ...[...absent].map((key) => [key, [cut(key), "not there"]] as const),
  ]);
  const { boxes, width, height } = layOut([...lines].map(boxOf), snapshot.edges);
  const title = `${snapshot.values.length} values at ${new Date(snapshot.time).toISOString()}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, monospace" font-size="${FONT_SIZE}">`,
    `<title>${escaped(title)}</title>`,
    '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#666"/></marker></defs>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...snapshot.edges.map((edge) => edgeSvg(edge, boxes)),
    ...snapshot.values.map((value) => valueSvg(value, boxes.get(value.key), lines.get(value.key) ?? [])),
    ...[...absent].map((key) => absentSvg(key, boxes.get(key), lines.get(key) ?? [])),
    "</svg>",
    "",
  ].join("\n");
}

function linesOf({ key, state, error, details }: ValueRecord): readonly string[] {
  const why = state === "CONFIGURED" || state === "OBTAINED" ? [] : details;
  return [key, state, ...(error === "" ? why : [error])].map(cut);
}

function cut(line: string): string {
  return line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE - 1)}…` : line;
}

function boxOf([id, lines]: readonly [string, readonly string[]]): Box {
  const longest = Math.max(...lines.map(({ length }) => length));
  return {
    id,
    width: Math.ceil(longest * CHARACTER_WIDTH) + 2 * PADDING,
    height: lines.length * LINE_HEIGHT + 2 * PADDING,
  };
}

function valueSvg(value: ValueRecord, box: PlacedBox | undefined, lines: readonly string[]): string {
  const { key, state, error, details, descriptor, derivedFrom } = value;
  const facts = [key, state, error, ...details, `descriptor ${descriptor ?? "none"}`].filter(Boolean).join("\n");
  const shape = `fill="${COLOURS[state] ?? "#fff"}" stroke="#666" rx="${derivedFrom === undefined ? 0 : 10}"`;
  return boxSvg(box, lines, facts, shape);
}

function absentSvg(key: string, box: PlacedBox | undefined, lines: readonly string[]): string {
  return boxSvg(box, lines, `${key} is not there`, 'fill="#fff" stroke="#b00" stroke-dasharray="4 3"');
}

function boxSvg(box: PlacedBox | undefined, lines: readonly string[], tooltip: string, shape: string): string {
  if (box === undefined) return "";
  const text = lines.map((line, index) => {
    const y = box.y + PADDING + (index + 0.75) * LINE_HEIGHT;
    return `<text x="${box.x + PADDING}" y="${round(y)}"${index === 0 ? ' font-weight="bold"' : ""}>${escaped(line)}</text>`;
  });
  const rectangle = `<rect x="${box.x}" y="${round(box.y)}" width="${box.width}" height="${box.height}" ${shape}/>`;
  return `<g><title>${escaped(tooltip)}</title>${rectangle}${text.join("")}</g>`;
}

function edgeSvg(edge: GraphEdge, boxes: ReadonlyMap<string, PlacedBox>): string {
  const [from, to] = [boxes.get(edge.from), boxes.get(edge.to)];
  if (from === undefined || to === undefined || from === to) return "";
  const [x1, y1] = [from.x + from.width, from.y + from.height / 2];
  const [x2, y2] = [to.x, to.y + to.height / 2];
  const bend = Math.max(30, Math.abs(x2 - x1) / 2);
  const path = `M${round(x1)} ${round(y1)}C${round(x1 + bend)} ${round(y1)} ${round(x2 - bend)} ${round(y2)} ${round(x2)} ${round(y2)}`;
  const style =
    edge.relation === "derives"
      ? 'stroke="#999" stroke-width="2.5"'
      : edge.satisfied
        ? 'stroke="#666"'
        : 'stroke="#b00" stroke-dasharray="5 4"';
  const tooltip = edge.relation === "derives" ? "derives" : `depends on ${edge.label || edge.to}`;
  return `<path d="${path}" fill="none" ${style} marker-end="url(#head)"><title>${escaped(tooltip)}</title></path>`;
}

function round(length: number): number {
  return Math.round(length * 10) / 10;
}

/** Also takes out what XML 1.0 cannot have at all. */
function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replace(/[^\P{Cc}\n\t]/gu, "\u{fffd}");
}
