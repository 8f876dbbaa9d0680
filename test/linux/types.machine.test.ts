import { declareTypes } from "./support/type-stories.js";
import { OTHER_TYPES_FIRST } from "./types-table.js";

declareTypes(OTHER_TYPES_FIRST);
