import type { Protocol } from "../sys/socket.js";
import type { SysctlValue } from "../sys/sysctl.js";
import type { TapRequest } from "../types.js";

/**
 * What the main thread and the worker thread say to each other. `namespace` is a number that the main thread gives to
 * each namespace it opens, and once more to the generic netlink of one that needs it. Requests of one namespace are answered in the order they were sent in.
 */

export interface WorkerOptions {
  /** eventfd that wakes the worker out of `poll`. */
  readonly wakeFd: number;
  readonly receiveBufferBytes: number;
  readonly eventBufferBytes: number;
  /** Most messages, and most bytes, of one `send`. */
  readonly batchMessages: number;
  readonly batchBytes: number;
}

export type ToWorker =
  /** Opens a request socket in the namespace that `fd` holds. The worker closes `fd` with the namespace. */
  | {
      readonly kind: "open";
      readonly call: number;
      readonly namespace: number;
      readonly fd: number;
      readonly protocol: Protocol;
    }
  /** `count` netlink messages with sequence numbers from `first` on. */
  | {
      readonly kind: "requests";
      readonly namespace: number;
      readonly first: number;
      readonly count: number;
      readonly bytes: Uint8Array<ArrayBuffer>;
    }
  /** Joins exactly these RTNLGRP_* groups; without `ownRoutes` the kernel leaves out what our requests did to routes. */
  | {
      readonly kind: "groups";
      readonly call: number;
      readonly namespace: number;
      readonly groups: readonly number[];
      readonly ownRoutes: boolean;
    }
  | { readonly kind: "close"; readonly call: number; readonly namespace: number }
  | { readonly kind: "add-tap"; readonly call: number; readonly namespace: number; readonly tap: TapRequest }
  | {
      readonly kind: "set-sysctl";
      readonly call: number;
      readonly namespace: number;
      readonly path: string;
      readonly value: SysctlValue;
    }
  /** `alias`: of the loopback link. */
  | {
      readonly kind: "create-named";
      readonly call: number;
      readonly directory: string;
      readonly path: string;
      readonly alias: string | undefined;
    }
  | { readonly kind: "delete-named"; readonly call: number; readonly path: string }
  /** Reports `mounts` whenever this mount namespace changes. */
  | { readonly kind: "watch-mounts"; readonly call: number }
  | { readonly kind: "stop" };

/** What is answered with `called`. */
export type Call = Extract<ToWorker, { readonly call: number }>;

/** A request that the kernel refused. */
export interface RefusedRequest {
  readonly sequence: number;
  readonly errno: number;
  /** The kernel's extended ack, or ours; empty when there is none. */
  readonly text: string;
  /** Offset of the offending attribute from the start of the message (NLMSGERR_ATTR_OFFS); 0 when not known. */
  readonly attributeOffset: number;
}

/** What a GET or a dump brought: whole netlink messages. */
export interface ReplyMessages {
  readonly sequence: number;
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
}

export type FromWorker =
  /** `count` requests from `first` on are done; those not in `failures` succeeded. */
  | {
      readonly kind: "results";
      readonly namespace: number;
      readonly first: number;
      readonly count: number;
      readonly failures: readonly RefusedRequest[];
      readonly replies: readonly ReplyMessages[];
    }
  | { readonly kind: "events"; readonly namespace: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "lost"; readonly namespace: number }
  /** Answer to a `call`. `errno` 0 is success; -1 is an error that is no errno, in `text`. */
  | { readonly kind: "called"; readonly call: number; readonly errno: number; readonly text: string }
  | { readonly kind: "mounts" };

/** Sends to the main thread; buffers in `transfer` move there without a copy. */
export type Post = (message: FromWorker, transfer?: readonly ArrayBuffer[]) => void;
