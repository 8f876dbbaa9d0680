import type { KeyValue, OperationResult, TransactionResult, ValueState } from "#client/types.js";
import { differences, isMessage } from "./difference.js";

/**
 * What happens to a value. `withdraw`: it goes, and waits for what it depends on. `wait`: it is desired and cannot be there yet.
 * `none`: it is as it was. `refuse`: it is invalid.
 */
export type Action = "create" | "update" | "recreate" | "delete" | "withdraw" | "wait" | "none" | "refuse";

/** A field of a value before and after; `undefined`: it is not set. */
export interface FieldChange {
  /** Its path: `veth.peer_if_name`. */
  readonly field: string;
  readonly before: unknown;
  readonly after: unknown;
}

export interface ValueChange {
  readonly key: string;
  readonly action: Action;
  /** Named by the transaction; otherwise it follows from what is. */
  readonly isNamed: boolean;
  readonly fields: readonly FieldChange[];
  readonly state: ValueState;
  readonly error: string;
  /** What it waits for. */
  readonly waitsFor: readonly string[];
}

/** The desired values around a transaction, by key. */
export interface Desired {
  readonly before: ReadonlyMap<string, object>;
  readonly after: ReadonlyMap<string, object>;
}

const NOTHING_KNOWN: Desired = { before: new Map(), after: new Map() };
const PROBLEMS: ReadonlySet<ValueState> = new Set(["INVALID", "FAILED", "RETRYING"]);

/**
 * What a transaction does to each value, from its result: of a dry run what would happen, otherwise what did. First the values that it
 * names in their order, then those that follow from them. Parts of values (derived ones) are told as changes of these.
 */
export function valueChanges(
  { values, operations }: TransactionResult,
  { before, after }: Desired = NOTHING_KNOWN,
): readonly ValueChange[] {
  const byKey = new Map<string, OperationResult[]>();
  for (const operation of operations) {
    if (operation.derived) continue;
    byKey.set(operation.key, [...(byKey.get(operation.key) ?? []), operation]);
  }
  const named = values.map(({ key, state, error, details }): ValueChange => {
    const fields = fieldChanges(key, before.get(key), after.get(key), state === "REMOVED");
    const action = actionOf(byKey.get(key) ?? [], state, { isNew: !before.has(key), isOther: fields.length > 0 });
    return { key, action, isNamed: true, fields, state, error, waitsFor: state === "PENDING" ? details : [] };
  });
  const names = new Set(values.map(({ key }) => key));
  const following = [...byKey]
    .filter(([key]) => !names.has(key))
    .map(([key, done]): ValueChange => {
      const { state = "NONEXISTENT", error = "" } = done.at(-1) ?? {};
      const action = actionOf(done, state, { isNew: false, isOther: false });
      const fields = action === "delete" ? fieldChanges(key, before.get(key), undefined, true) : [];
      return { key, action, isNamed: false, fields, state, error, waitsFor: [] };
    });
  return [...named, ...following];
}

function actionOf(
  operations: readonly OperationResult[],
  state: ValueState,
  { isNew, isOther }: { readonly isNew: boolean; readonly isOther: boolean },
): Action {
  if (state === "INVALID") return "refuse";
  const done = new Set(operations.map(({ operation }) => operation));
  if (done.has("DELETE")) {
    if (done.has("CREATE")) return "recreate";
    return state === "PENDING" ? "withdraw" : "delete";
  }
  if (done.has("CREATE")) return "create";
  if (done.has("UPDATE")) return "update";
  if (state === "PENDING") return isNew || isOther ? "wait" : "none";
  // Something that was pending goes without an operation, and a change of parts has operations of these only.
  if (state === "REMOVED") return isOther ? "delete" : "none";
  return isOther ? "update" : "none";
}

/** Of a value that comes or goes, all fields. */
function fieldChanges(
  key: string,
  before: object | undefined,
  after: object | undefined,
  isGone: boolean,
): readonly FieldChange[] {
  if (after === undefined && !isGone) return [];
  const of = (value: object | undefined): KeyValue => ({ key, value: value ?? {} });
  return differences([of(after)], [of(before)], "default").flatMap(({ fields }) =>
    fields.flatMap(({ field, desired, found }) => leaves({ field, before: found, after: desired })),
  );
}

/** A message that comes or goes as a whole, by its fields. */
function leaves({ field, before, after }: FieldChange): readonly FieldChange[] {
  const [whole, other] = [after ?? before, after === undefined ? after : before];
  if (other !== undefined || !isMessage(whole)) return [{ field, before, after }];
  return Object.entries(whole).flatMap(([name, value]) =>
    leaves(
      after === undefined
        ? { field: `${field}.${name}`, before: value, after }
        : { field: `${field}.${name}`, before, after: value },
    ),
  );
}

/** Was or would anything be changed? */
export function isChange({ action }: ValueChange): boolean {
  return action !== "none" && action !== "refuse";
}

export function isProblem({ state, error }: ValueChange): boolean {
  return PROBLEMS.has(state) || error !== "";
}
