import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { jsonPieces } from "#core/json-pieces.js";
import { Slices } from "#core/slices.js";

/** JSON with long lists in it: put into words in slices, and no faster than its reader takes it. */
export class LongAnswer {
  constructor(private readonly value: object | null) {}

  /** Resolves when it has been handed over, or when its reader has gone. */
  async sendTo(response: ServerResponse): Promise<void> {
    const slices = new Slices();
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    for (const piece of jsonPieces(this.value)) {
      if (response.destroyed) return;
      if (!response.write(piece)) await once(response, "drain", { signal: gone.signal }).catch(() => undefined);
      else if (slices.isOver) await slices.next();
    }
    response.end();
  }
}
