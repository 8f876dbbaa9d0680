import { declareTypes } from "./support/type-stories.js";
import { COMMON_TYPES } from "./types-table.js";

declareTypes(COMMON_TYPES);
