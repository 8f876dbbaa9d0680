import { missingTypes } from "#test/linux/types-table.js";
import { declareTestsInUml, shareOf } from "./in-uml.js";

/** Most of the interface types that this machine's kernel lacks; the machine of the others runs beside this one. */
const missing = missingTypes();
declareTestsInUml(["types.test.js"], missing.slice(0, shareOf(missing)));
