/**
 * A value that its model cannot name or translate. Whoever decodes it adds the key and makes an `InvalidInputError`.
 */
export class ModelError extends Error {
  readonly code: "MISSING_FIELD" | "INVALID_FIELD" | "KEY_MISMATCH";
  readonly field: string;
  readonly problem: string;

  constructor(code: ModelError["code"], field: string, problem: string) {
    super(`${field}: ${problem}`);
    this.name = "ModelError";
    this.code = code;
    this.field = field;
    this.problem = problem;
  }
}
