/** How much the endurance tests do: a little in `npm test`, everything in `npm run test:long`. */
export interface Counts {
  /** In a stream that is being disturbed. */
  readonly transactions: number;
  readonly brokerRestarts: number;
  readonly agentKills: number;
  /** Messages that can never be applied. */
  readonly poison: number;
  /** Of one transaction in parts. */
  readonly routes: number;
}

/** Set by `npm run test:long`. */
export const LONG_VARIABLE = "TENUTO_TEST_LONG";

export const isLong = Boolean(process.env[LONG_VARIABLE]);

const LONG: Counts = {
  transactions: 2_000,
  brokerRestarts: 20,
  agentKills: 500,
  poison: 5_000,
  routes: 100_000,
};

/** The counts, and how long a test of them may take, ms. */
export function counts(short: Counts): Counts & { readonly patience: number } {
  return isLong ? { ...LONG, patience: 30 * 60_000 } : { ...short, patience: 4 * 60_000 };
}
