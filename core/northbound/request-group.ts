import { token } from "../plugin/token.js";

/** One request of a {@link RequestGroup}. */
export interface GroupRequest {
  /** Full protobuf name of the argument: `tenuto.ifmgr.InterfaceRequest`. */
  readonly message: string;
  /** Full protobuf name of the answer. */
  readonly reply: string;
  /** It changes nothing. */
  readonly safe?: true;
  /** Gets the argument and gives the answer in canonical form. Throws `InvalidInputError` for one that makes no sense. */
  handle(argument: object): Promise<object> | object;
}

/**
 * Port: requests of a plugin's own. Every transport serves them without knowing what they are about: NATS as
 * `tenuto.<label>.<group>.<request>`, HTTP as `/v1/<group>/<request>`.
 */
export interface RequestGroup {
  /** Lower case letters: a token of a subject and a part of a path. */
  readonly name: string;
  readonly requests: Readonly<Record<string, GroupRequest>>;
}

export const RequestGroup = token<RequestGroup>("RequestGroup");
