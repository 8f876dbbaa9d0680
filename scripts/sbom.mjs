// npm run sbom: what the agent consists of, as CycloneDX 1.5, from the lock file alone.
//
//   node scripts/sbom.mjs [FILE]    default: dist/sbom.cdx.json; with the time of SOURCE_DATE_EPOCH, if that is set
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { projectRoot } from "./steps.mjs";

const file = process.argv[2] ?? join(projectRoot, "dist", "sbom.cdx.json");
const words = [
  "sbom",
  "--sbom-format",
  "cyclonedx",
  "--sbom-type",
  "application",
  "--omit",
  "dev",
  "--package-lock-only",
];
const { status, stdout, error } = spawnSync("npm", words, {
  cwd: projectRoot,
  encoding: "utf8",
  maxBuffer: 64 * 1024 * 1024,
  stdio: ["ignore", "pipe", "inherit"],
});
if (error) throw error;
if (status !== 0) process.exit(status ?? 1);
const bill = JSON.parse(stdout);
// The same lock file makes the same bytes.
const digest = createHash("sha256")
  .update(readFileSync(join(projectRoot, "package-lock.json")))
  .digest("hex");
bill.serialNumber = `urn:uuid:${digest.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, "$1-$2-8$3-8$4-$5")}`;
const { SOURCE_DATE_EPOCH: seconds } = process.env;
if (seconds === undefined) delete bill.metadata.timestamp;
else bill.metadata.timestamp = new Date(Number(seconds) * 1000).toISOString();
mkdirSync(dirname(file), { recursive: true });
writeFileSync(file, `${JSON.stringify(bill, undefined, 2)}\n`);
console.log(`${bill.components.length} components: ${file}`);
