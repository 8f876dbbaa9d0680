import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { HttpReply } from "../exchange.js";
import type { RouteTable } from "../route-table.js";

/** Beside the sources, and so from here: it needs no compiling. */
const FILE = new URL("../../../../plugins/http/page.html", import.meta.url);

interface Page {
  readonly html: string;
  readonly policy: string;
}

/** The web page: one file, which asks the rest of this API for what it shows. It changes nothing. */
export function pageRoutes(routes: RouteTable): void {
  let page: Page | undefined;
  routes.get("/", async () => {
    page ??= await readPage();
    return HttpReply.of("text/html; charset=utf-8", page.html, {
      headers: {
        "content-security-policy": page.policy,
        "cache-control": "no-cache",
        "referrer-policy": "no-referrer",
      },
    });
  });
}

async function readPage(): Promise<Page> {
  const html = await readFile(FILE, "utf8");
  const policy = [
    "default-src 'none'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    `style-src ${hashOf(html, "style")}`,
    `script-src ${hashOf(html, "script")}`,
  ].join("; ");
  return { html, policy };
}

/** What is between the tags and nothing else may run: CSP level 2, "hash-source". */
function hashOf(html: string, tag: string): string {
  const text = new RegExp(`<${tag}>(.*?)</${tag}>`, "s").exec(html)?.[1] ?? "";
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
