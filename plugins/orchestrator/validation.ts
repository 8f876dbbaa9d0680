import { duration } from "#core/config/duration.js";
import { errorMessage, InvalidInputError } from "#core/errors.js";
import type { ModelRegistry } from "#core/model/types.js";
import { MAX_ID_LENGTH } from "#core/northbound/incoming.js";
import type { Change, Transaction } from "#core/northbound/index.js";
import { Slices } from "#core/slices.js";
import type { Changes } from "./desired-state.js";
import type { ShortKeys } from "./item-keys.js";

/** A transaction whose every field makes sense and whose every change is decoded. */
export interface ValidTransaction {
  readonly description: string;
  readonly atomic: boolean;
  readonly dryRun: boolean;
  /** Changes that are left out are deletions: these are all the values of the source. */
  readonly replace: boolean;
  /** ms; `undefined` when no confirmation is asked for. */
  readonly confirmTimeout: number | undefined;
  /** By normalised key, in the transaction's order. */
  readonly changes: Changes;
  /** The shorter keys that values came under, by the keys in `changes`. */
  readonly shortKeys: ShortKeys;
}

/** Why a change, or with an empty key the transaction itself, was refused. */
export interface Refusal {
  readonly key: string;
  readonly field: string;
  readonly message: string;
}

export type Validation =
  | { readonly valid: true; readonly transaction: ValidTransaction }
  | { readonly valid: false; readonly refusals: readonly Refusal[] };

/** One day. Also keeps the timer within what `setTimeout` can count. */
const MAX_CONFIRM_TIMEOUT = 24 * 3_600_000;
/** Characters that are kept of it, with the history. */
const MAX_DESCRIPTION_LENGTH = 4096;
/** So many bad changes tell enough: the rest is not looked at. */
const MAX_REFUSALS = 1000;
/** Changes that are checked before the time is looked at. */
const SOME = 32;

const TRANSACTION_FIELDS = new Set(["id", "description", "atomic", "dry_run", "confirm_timeout", "mode", "changes"]);
const CHANGE_FIELDS = new Set(["key", "value", "delete"]);

/**
 * Checks everything about a transaction that can be told without looking below. Changes nothing, never rejects. Lets others
 * run now and then when the transaction is large.
 */
export async function validateTransaction(
  transaction: Transaction,
  registry: ModelRegistry,
  maxChanges: number,
): Promise<Validation> {
  const refusals: Refusal[] = [];
  const refuse = (field: string, message: string): void => {
    refusals.push({ key: "", field, message: `${field}: ${message}` });
  };
  for (const field of Object.keys(transaction)) {
    if (!TRANSACTION_FIELDS.has(field)) refuse(field, "a transaction has no such field");
  }
  checkId(transaction.id, refuse);
  checkText("description", transaction.description, refuse);
  checkFlag("atomic", transaction.atomic, refuse);
  checkFlag("dry_run", transaction.dry_run, refuse);
  const replace = checkMode(transaction.mode, refuse);
  const confirmTimeout = checkConfirmTimeout(transaction.confirm_timeout, refuse);
  const shortKeys = new Map<string, string>();
  const listed = checkList(transaction.changes, replace, maxChanges, refuse);
  const changes = await checkChanges(listed, registry, refusals, shortKeys);
  if (refusals.length > 0) return { valid: false, refusals };
  const { atomic = false, dry_run: dryRun = false } = transaction;
  const description = transaction.description?.slice(0, MAX_DESCRIPTION_LENGTH) ?? "";
  return { valid: true, transaction: { description, atomic, dryRun, replace, confirmTimeout, changes, shortKeys } };
}

type Refuse = (field: string, message: string) => void;

function checkId(id: unknown, refuse: Refuse): void {
  if (id === undefined || (typeof id === "string" && id.length <= MAX_ID_LENGTH)) return;
  refuse("id", `was ${shown(id)}, expected a text of at most ${MAX_ID_LENGTH} characters`);
}

function checkText(field: string, text: unknown, refuse: Refuse): void {
  if (text !== undefined && typeof text !== "string") refuse(field, `was ${shown(text)}, expected a text`);
}

function checkFlag(field: string, flag: unknown, refuse: Refuse): void {
  if (flag !== undefined && typeof flag !== "boolean") refuse(field, `was ${shown(flag)}, expected true or false`);
}

/** Is it `REPLACE`? */
function checkMode(mode: unknown, refuse: Refuse): boolean {
  if (mode !== undefined && mode !== "UPDATE" && mode !== "REPLACE") {
    refuse("mode", `was ${shown(mode)}, expected "UPDATE" or "REPLACE"`);
  }
  return mode === "REPLACE";
}

function checkConfirmTimeout(timeout: unknown, refuse: Refuse): number | undefined {
  if (timeout === undefined || timeout === "") return undefined;
  const isNumber = typeof timeout === "string" && /^\d+(\.\d+)?$/.test(timeout);
  const { data: ms } = duration.safeParse(isNumber ? Number(timeout) : timeout);
  if (ms !== undefined && ms > 0 && ms <= MAX_CONFIRM_TIMEOUT) return ms;
  refuse("confirm_timeout", `was ${shown(timeout)}, expected a time of up to 24h such as 60s, 500ms or 5m`);
  return undefined;
}

/** The changes to be looked at: none of what is no list, or too long a one. */
function checkList(changes: unknown, replace: boolean, maxChanges: number, refuse: Refuse): readonly unknown[] {
  if (!Array.isArray(changes) || (changes.length === 0 && !replace)) {
    const was = Array.isArray(changes) ? "empty" : shown(changes);
    refuse("changes", `was ${was}, expected a list of {key, value} or {key, delete}`);
    return [];
  }
  if (changes.length <= maxChanges) return changes;
  const limit = `at most ${maxChanges} (orchestrator.max_transaction_changes)`;
  refuse("changes", `are ${changes.length}, expected ${limit}; send them in several transactions`);
  return [];
}

async function checkChanges(
  listed: readonly unknown[],
  registry: ModelRegistry,
  refusals: Refusal[],
  shortKeys: Map<string, string>,
): Promise<Changes> {
  const decoded = new Map<string, object | undefined>();
  const slices = new Slices();
  for (const [index, change] of listed.entries()) {
    if (refusals.length >= MAX_REFUSALS) break;
    if (index % SOME === 0 && slices.isOver) await slices.next();
    try {
      const { key, value, shortKey } = decodeChange(change, index, registry);
      const before = decoded.size;
      decoded.set(key, value);
      if (decoded.size === before) throw duplicate(key, index, shortKey ?? shortKeys.get(key));
      if (shortKey !== undefined) shortKeys.set(key, shortKey);
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      refusals.push(refusalOf(error, change));
    }
  }
  return decoded;
}

function decodeChange(
  change: unknown,
  index: number,
  registry: ModelRegistry,
): { readonly key: string; readonly value: object | undefined; readonly shortKey?: string } {
  if (typeof change !== "object" || change === null) {
    throw new InvalidInputError("BAD_CHANGE", `was ${shown(change)}, expected {key, value} or {key, delete}`, {
      field: `changes[${index}]`,
    });
  }
  const { key, value, delete: deletes = false }: Readonly<Partial<Record<keyof Change, unknown>>> = change;
  if (typeof key !== "string" || key === "") {
    throw new InvalidInputError("NO_KEY", `changes[${index}].key was ${shown(key)}, expected the key of a value`, {
      field: `changes[${index}].key`,
    });
  }
  for (const field of Object.keys(change)) {
    if (!CHANGE_FIELDS.has(field))
      throw new InvalidInputError("UNKNOWN_FIELD", `a change has no field ${field}`, { key, field });
  }
  if (typeof deletes !== "boolean") {
    throw new InvalidInputError("BAD_CHANGE", `delete was ${shown(deletes)}, expected true or false`, {
      key,
      field: "delete",
    });
  }
  const hasValue = value !== undefined && value !== null;
  if (deletes === hasValue) {
    const problem = hasValue ? "both a value and delete" : "neither a value nor delete";
    throw new InvalidInputError("BAD_CHANGE", `the change has ${problem}`, { key, field: "value" });
  }
  if (!hasValue) return { key: registry.normaliseKey(key), value: undefined };
  if (typeof value !== "object") {
    throw new InvalidInputError("BAD_VALUE", `value was ${shown(value)}, expected an object`, { key, field: "value" });
  }
  return registry.decode(key, value);
}

function duplicate(key: string, index: number, shortKey: string | undefined): InvalidInputError {
  const field = `changes[${index}]`;
  const other = shortKey === undefined ? "" : `: ${shortKey} means ${key}`;
  return new InvalidInputError("DUPLICATE_KEY", `the same key twice in one transaction${other}`, { key, field });
}

/** The message names the key and the field, whatever the error itself says. */
export function refusalOf(error: InvalidInputError, change: unknown): Refusal {
  const named = typeof change === "object" && change !== null && "key" in change ? change.key : undefined;
  const key = error.key ?? (typeof named === "string" ? named : "");
  const field = error.field ?? "";
  const place = [key, field].filter((part) => part !== "" && !error.message.includes(part));
  return { key, field, message: [...place, errorMessage(error)].join(": ") };
}

/** A value as a message quotes it. */
function shown(value: unknown): string {
  const text = value === undefined ? "missing" : (JSON.stringify(value) ?? typeof value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
