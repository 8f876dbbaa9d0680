import { NLM_F_DUMP } from "../codec/constants.js";
import type { LinkFeatures } from "../codec/ethtool.js";
import { encodeFeatureQuery, encodeFeatures, encodeLinkModesQuery } from "../codec/ethtool.js";
import { CONTROL_FAMILY, encodeFamilyQuery } from "../codec/generic.js";
import { encodeWireguard, encodeWireguardQuery } from "../codec/wireguard.js";
import type { WireguardDevice } from "../types.js";
import type { RequestKind } from "./operations.js";

/** Requests of generic netlink. Their type is the number of their family, which the kernel gives it when it loads it. */
export type GenericOperation<T> = Omit<RequestKind<T>, "type">;

export const familyGet: RequestKind<string> = {
  type: CONTROL_FAMILY,
  flags: 0,
  encode: encodeFamilyQuery,
  describe: (name) => `find generic netlink family ${name}`,
};

export const featureGet: GenericOperation<number> = {
  flags: 0,
  encode: encodeFeatureQuery,
  describe: (index) => `get offloads of link with index ${index}`,
};

export const featureSet: GenericOperation<LinkFeatures> = {
  flags: 0,
  encode: encodeFeatures,
  describe: ({ linkIndex, features }) => `set ${Object.keys(features).join(", ")} of link with index ${linkIndex}`,
};

export const speedGet: GenericOperation<number> = {
  flags: 0,
  encode: encodeLinkModesQuery,
  describe: (index) => `get the speed of link with index ${index}`,
};

export const wireguardGet: GenericOperation<number> = {
  flags: NLM_F_DUMP,
  encode: encodeWireguardQuery,
  describe: (index) => `get the keys and peers of link with index ${index}`,
};

export const wireguardSet: GenericOperation<WireguardDevice> = {
  flags: 0,
  encode: encodeWireguard,
  describe: ({ linkIndex }) => `set the keys and peers of link with index ${linkIndex}`,
};
