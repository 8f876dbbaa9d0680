export { flavorList, flavorNamed } from "./registry.js";
