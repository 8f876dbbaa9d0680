import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { drawPlot, type Series } from "./plot.js";
import type { machine, Row } from "./report.js";

const begin = "<!-- figures: npm run bench -- --document -->";
const end = "<!-- end of figures -->";

/** Puts the newest figures into a Markdown document, between its two markers; rows that were not run stay as they are. */
export function updateDocument(file: string, where: ReturnType<typeof machine>, rows: readonly Row[]): void {
  const text = readFileSync(file, "utf8");
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from)
    throw new Error(`${file} has no place for figures: it needs the lines ${begin} and ${end}`);
  const sections = new Map<string, string>();
  for (const section of text.slice(from + begin.length, to).split(/^(?=### )/m)) {
    const [, name] = /^### (\S+)/.exec(section) ?? [];
    if (name !== undefined) sections.set(name, section.trim());
  }
  for (const row of rows) {
    const plot = plotOf(row);
    if (plot !== undefined) writeFileSync(join(dirname(file), plotName(row)), plot);
    sections.set(row.name, sectionOf(row, where, plot === undefined ? [] : [`![${row.name}](${plotName(row)})`, ""]));
  }
  writeFileSync(file, `${text.slice(0, from)}${begin}\n\n${[...sections.values()].join("\n\n")}\n\n${text.slice(to)}`);
}

function plotName({ name }: Row): string {
  return `${name}.svg`;
}

/** The plot of a row whose measurements are of the same work in several sizes, named `<work> <count>`. */
function plotOf({ name, measurements }: Row): string | undefined {
  const works = new Map<string, [number, number][]>();
  for (const { name: measured, median } of measurements) {
    const [, work, count] = /^(\S+) (\d+)$/.exec(measured) ?? [];
    if (work !== undefined) works.set(work, [...(works.get(work) ?? []), [Number(count), median]]);
  }
  const series = Array.from(works, ([work, points]): Series => ({ name: work, points }));
  if (series.length === 0 || series.some(({ points }) => points.length < 2)) return undefined;
  const unit = measurements[0]?.unit ?? "";
  return drawPlot({ title: name, x: "count", y: unit, series });
}

function sectionOf(row: Row, where: ReturnType<typeof machine>, plot: readonly string[]): string {
  const { node, kernel, cpus, load } = where;
  return [
    `### ${row.name}`,
    "",
    row.method,
    "",
    "| measured | median | p99 | best | samples |",
    "|---|---:|---:|---:|---:|",
    ...row.measurements.map(
      ({ name, unit, median, p99, minimum, samples }) =>
        `| ${name} | ${median} ${unit} | ${p99} | ${minimum} | ${samples} |`,
    ),
    "",
    "| compared | value | target | |",
    "|---|---:|---|---|",
    ...row.comparisons.map(
      ({ name, value, target, reached }) =>
        `| ${name} | ${value} | ${targetOf(target)} | ${reached === undefined ? "" : reached ? "reached" : "**missed**"} |`,
    ),
    "",
    ...plot,
    `${new Date().toISOString().slice(0, 10)}, Node ${node}, Linux ${kernel}, ${cpus} processors, load ${load} at the end.`,
  ].join("\n");
}

function targetOf(target: Row["comparisons"][number]["target"]): string {
  if (target === undefined) return "";
  return "atMost" in target ? `at most ${target.atMost}` : `at least ${target.atLeast}`;
}
