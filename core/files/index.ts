export { FileError, patiently } from "./patience.js";
export { kindOfFile, O_PATH, type RegularFile, readRegularFile, readSettingFile } from "./regular.js";
