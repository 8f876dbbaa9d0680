// The agent's local socket, for scripts: one request, and the stream of events.
import { request } from "node:http";

/** GET, parsed. Rejects when nobody listens. */
export function get(socketPath, path) {
  return new Promise((resolve, reject) => {
    request({ socketPath, path }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode, text }));
      response.on("error", reject);
    })
      .on("error", reject)
      .end();
  });
}

/**
 * Follows /v1/events (server-sent events) and calls `listener(kind, cloudEvent)`. Resolves once the stream is open, with
 * the function that closes it.
 */
export function follow(socketPath, listener) {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path: "/v1/events" }, (response) => {
      let rest = "";
      response.setEncoding("utf8").on("data", (chunk) => {
        const blocks = (rest + chunk).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) dispatch(block, listener);
      });
      // The stream ends when the agent does, which its own exit tells better.
      response.on("error", () => call.destroy());
      resolve(() => call.destroy());
    });
    call.on("error", reject).end();
  });
}

function dispatch(block, listener) {
  const fields = new Map(block.split("\n").map((line) => /^(\w+): ?(.*)$/.exec(line)?.slice(1) ?? ["", ""]));
  if (fields.has("data")) listener(fields.get("event"), JSON.parse(fields.get("data")));
}
