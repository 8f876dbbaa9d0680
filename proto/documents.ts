import { arpModel, forwardingModel, interfaceModel, routeModel, ruleModel } from "./models.js";

/**
 * Sections of a configuration document that list whole values: the message of the section, and the model of each list.
 */
export const DOCUMENT_SECTIONS: Readonly<Record<string, DocumentSection>> = {
  linuxConfig: {
    message: "ligato.linux.ConfigData",
    lists: {
      interfaces: interfaceModel.name,
      arp_entries: arpModel.name,
      routes: routeModel.name,
      rules: ruleModel.name,
      forwarding_entries: forwardingModel.name,
    },
  },
};

export interface DocumentSection {
  /** Full name. */
  readonly message: string;
  /** Name of the model by field. */
  readonly lists: Readonly<Record<string, string>>;
}
