import type { InjectionToken } from "tsyringe";

declare const provided: unique symbol;

/**
 * A typed injection token. It is named after the interface it stands for, and shares its name:
 * `export interface Scheduler {…}` and `export const Scheduler = token<Scheduler>("Scheduler")`.
 */
export interface Token<T> {
  /** What error messages call it. */
  readonly name: string;
  /** What the container registers it under. Unique per token, so that two packages never collide by name. */
  readonly id: symbol & InjectionToken<T>;
  readonly [provided]?: T;
}

export function token<T>(name: string): Token<T> {
  return { name, id: Symbol(name) };
}
