import { declareTypes } from "./support/type-stories.js";
import { OTHER_TYPES } from "./types-table.js";

declareTypes(OTHER_TYPES);
