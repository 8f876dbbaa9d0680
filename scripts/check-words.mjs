// Checks that words that were given up do not come back: one thing has one name, and it is the field's.
//
//   node scripts/check-words.mjs [ROOT]    prints each retired word; status 1 when there is one
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "./steps.mjs";

/** A pattern, what to write instead, and, where it is limited, the files it is about. */
const RETIRED = [
  { pattern: /\bwanted\b|\bWanted\b|wanted[A-Z]\w*|[a-z]Wanted\b|\bunwanted/g, instead: "desired" },
  { pattern: /\bGrounds\b|standsOnFirmGround/g, instead: "DependencyCache, dependenciesStillHold" },
  { pattern: /\bWatchers\b/g, instead: "DependentsIndex", files: /^core\/scheduler\// },
  { pattern: /\bTogether\b|\bGathering\b/g, instead: "Batch, Batcher", files: /\.ts$/ },
  { pattern: /\bailing\b|\bailments?\b/gi, instead: "previously failed" },
  { pattern: /\bforgetful\b/gi, instead: "recheckDependencies, lossy" },
  { pattern: /\bdoubts?\b|\bdoubtful\b|\bdoubted\b/gi, instead: "revalidate" },
  { pattern: /\bpapers\b/gi, instead: "config files" },
  { pattern: /\bstrangers?\b|\bisStranger\b/gi, instead: "unmanaged" },
  { pattern: /\bleftovers?\b/gi, instead: "orphan" },
  { pattern: /\b(?:the|its own|scheduler's) books\b/gi, instead: "cache, graph" },
  {
    pattern: /\bloans?\b|\blender\b|\bborrower\b|\bborrowed\b|InterfaceLoan|BorrowedAddresses/g,
    instead: "unnumbered, donor",
  },
  {
    pattern: /interface-place|interface-loan|interface-borrowed|InterfacePlace|interfacePlaceKey/g,
    instead: "attachment, unnumbered",
  },
  { pattern: /\bNetlinkRoom\b|netlink room/g, instead: "NetlinkClient, netlink client" },
  { pattern: /leadsNowhere|leads nowhere/g, instead: "hasNoNexthop, has no next hop" },
  { pattern: /\bFleet\b/g, instead: "InterfaceManager: a fleet is many agents", files: /^plugins\/ifmgr\// },
  { pattern: /\b(?:GateKeeper|Keeper)\b/g, instead: "GateContext" },
  { pattern: /\bAnnouncements\b/g, instead: "DeferredEvents" },
  {
    pattern: /\b(?:read|dump|expected|states|keys|stays)Below\b|\bbelowOf\b|BelowPlugin/g,
    instead: "southbound, lower link",
  },
  { pattern: /\bCONTRACT\.md\b|\bDESIGN\.md\b|\(seed 0/g, instead: "docs/contract.md, the name of the project" },
  {
    pattern: /this\.#[a-z]|^\s+(?:static |readonly |async |get |set )*#[a-z]\w*\s*[(:=;?<]/gm,
    instead: "private: private members have one style",
    files: /^(?:core|plugins|cli|client|proto|flavors|bench|test)\/.*\.ts$/,
  },
];

/** Where such a word is the right one. `text` is looked for in the line. */
const ALLOWED = [
  { file: "scripts/check-words.mjs", text: "", reason: "the list itself" },
  { file: "test/architecture/words.test.ts", text: "", reason: "tests of the list" },
  {
    file: "plugins/netlink/codec/ethtool.ts",
    text: "wanted",
    reason: "ETHTOOL_A_FEATURES_WANTED of linux/ethtool_netlink.h",
  },
  { file: "CHANGELOG.md", text: "`", reason: "says what was renamed" },
];

const LOOKED_AT = /^(?:core|plugins|flavors|client|cli|proto|test|bench|examples|scripts|docs)\/|^[A-Z]+\.md$/;
const TEXTS = /\.(?:[cm]?ts|mjs|js|md|proto|html)$/;

function files(root) {
  const listed = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  return listed.split("\n").filter((file) => LOOKED_AT.test(file) && TEXTS.test(file) && existsSync(join(root, file)));
}

function isAllowed(file, line) {
  return ALLOWED.some((each) => each.file === file && line.includes(each.text));
}

export function* retiredWords(file, text) {
  const lines = text.split("\n");
  for (const { pattern, instead, files: only } of RETIRED) {
    if (only !== undefined && !only.test(file)) continue;
    for (const match of text.matchAll(pattern)) {
      const number = text.slice(0, match.index + match[0].search(/\S/)).split("\n").length;
      if (isAllowed(file, lines[number - 1])) continue;
      yield `${file}:${number}: "${match[0].trim()}" is a retired word; write ${instead}`;
    }
  }
}

const root = process.argv[2] ?? projectRoot;
const found = files(root).flatMap((file) => [...retiredWords(file, readFileSync(join(root, file), "utf8"))]);
for (const line of found) console.error(line);
process.exitCode = found.length === 0 ? 0 : 1;
