import { missingTypes } from "#test/linux/types-table.js";
import { declareTestsInUml } from "./in-uml.js";

/** The other half of the interface types that this machine's kernel lacks, and the ports of bridges and bonds. */
const missing = missingTypes();
declareTestsInUml(
  ["types.test.js", "ports.test.js", "packets.test.js", "bad-input.test.js"],
  missing.slice(missing.length / 2),
);
