import { missingTypes } from "#test/linux/types-table.js";
import { declareTestsInUml, shareOf } from "./in-uml.js";

/** The other interface types that this machine's kernel lacks, ports (of bonds too) and members, packets and bad input. */
const missing = missingTypes();
declareTestsInUml(
  ["types.test.js", "ports.test.js", "bonds.test.js", "packets.test.js", "bad-input.test.js"],
  missing.slice(shareOf(missing)),
);
