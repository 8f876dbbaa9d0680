/** A line of a plot: its points in order. Both values are above 0. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Plot {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly series: readonly Series[];
}

const WIDTH = 640;
const HEIGHT = 400;
const MARGIN = { left: 70, right: 130, top: 40, bottom: 50 };
const COLOURS = ["#0b6e99", "#c2571a", "#5a8f29", "#7a4fa3"];

/** Draws a plot with logarithmic axes, in which a cost that grows with the work is a line at 45 degrees, as SVG. */
export function drawPlot({ title, x, y, series }: Plot): string {
  const xs = decades(series.flatMap(({ points }) => points.map(([value]) => value)));
  const ys = decades(series.flatMap(({ points }) => points.map(([, value]) => value)));
  const across = scale(xs, MARGIN.left, WIDTH - MARGIN.right);
  const up = scale(ys, HEIGHT - MARGIN.bottom, MARGIN.top);
  const bottom = HEIGHT - MARGIN.bottom;
  const right = WIDTH - MARGIN.right;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(`${title}: ${series.map(({ name }) => name).join(", ")}; ${y} by ${x}, both axes logarithmic`)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    text(MARGIN.left, 22, "start", title, 15),
    ...xs.map((value) => line(across(value), MARGIN.top, across(value), bottom)),
    ...xs.map((value) => text(across(value), bottom + 18, "middle", value.toLocaleString("en"))),
    ...ys.map((value) => line(MARGIN.left, up(value), right, up(value))),
    ...ys.map((value) => text(MARGIN.left - 8, up(value) + 4, "end", value.toLocaleString("en"))),
    text((MARGIN.left + right) / 2, HEIGHT - 10, "middle", x),
    text(12, MARGIN.top - 10, "start", y),
    ...series.flatMap((each, index) => drawSeries(each, COLOURS[index % COLOURS.length] ?? "black", across, up)),
    "</svg>",
    "",
  ].join("\n");
}

type Scale = (value: number) => number;

/** The powers of ten from the one at or below the least value to the one at or above the greatest. */
function decades(values: readonly number[]): readonly number[] {
  const first = Math.floor(Math.log10(Math.min(...values)));
  const last = Math.max(first + 1, Math.ceil(Math.log10(Math.max(...values))));
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
}

function scale(ticks: readonly number[], from: number, to: number): Scale {
  const [least = 1] = ticks;
  const span = Math.log10(ticks.at(-1) ?? 10) - Math.log10(least);
  return (value) => round(from + ((to - from) * (Math.log10(value) - Math.log10(least))) / span);
}

function drawSeries({ name, points }: Series, colour: string, across: Scale, up: Scale): readonly string[] {
  const places = points.map(([x, y]) => [across(x), up(y)] as const);
  const [endX, endY] = places.at(-1) ?? [0, 0];
  return [
    `<polyline points="${places.map((place) => place.join(",")).join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>`,
    ...places.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="3" fill="${colour}"/>`),
    `<text x="${endX + 10}" y="${endY + 4}" fill="${colour}">${escaped(name)}</text>`,
  ];
}

function line(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="#ddd"/>`;
}

function text(x: number, y: number, anchor: string, words: string, size = 12): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}">${escaped(words)}</text>`;
}

function escaped(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function round(value: number): number {
  return Number(value.toFixed(1));
}
