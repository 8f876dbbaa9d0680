import { missingTypes } from "#test/linux/types-table.js";
import { declareTestsInUml } from "./in-uml.js";

/** Half of the interface types that this machine's kernel lacks; the machines of both halves run side by side. */
const missing = missingTypes();
declareTestsInUml(["types.test.js"], missing.slice(0, missing.length / 2));
