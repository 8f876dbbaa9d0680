import protobuf from "protobufjs";
import { type InvalidInputError, TenutoError } from "#core/errors.js";
import { createModelRegistry, type ModelRegistry, type ModelSpec } from "#core/model/index.js";
import { models } from "#proto/index.js";

/** A registry of the agent `t1` with every model of the contract. */
export function contractRegistry(): ModelRegistry {
  const registry = createModelRegistry({ label: "t1" });
  for (const model of models) registry.register(model);
  return registry;
}

const SAMPLE_PROTO = `
  syntax = "proto3";
  package acme;
  import "google/protobuf/any.proto";
  message Sample {
    string name = 1;
    int32 i32 = 2;   uint32 u32 = 3;   int64 i64 = 4;   uint64 u64 = 5;
    float f32 = 6;   double f64 = 7;   bytes data = 8;  bool flag = 9;
    enum Colour { NONE = 0; RED = 1; BLUE = 2; }
    Colour colour = 10;
    repeated Colour colours = 11;
    map<string, uint32> counts = 12;
    map<int32, Sample> children = 13;
    oneof shape { uint32 circle = 14; string square = 15; }
    optional bool maybe = 16;
    google.protobuf.Any extra = 17;
    repeated int64 many = 18;
    Sample inner = 19;
  }`;

/** A model that is no part of Tenuto, with every kind of field there is. */
export const sampleModel: ModelSpec<{ name?: string }> = {
  name: "acme.sample",
  prefix: "config/acme/sample/",
  message: "acme.Sample",
  nameFields: ["name"],
  nameOf: ({ name = "" }) => name,
  descriptor: protobuf.parse(SAMPLE_PROTO, new protobuf.Root(), { keepCase: true }).root.toJSON(),
};

export function sampleRegistry(): ModelRegistry {
  const registry = contractRegistry();
  registry.register(sampleModel);
  return registry;
}

/** What a call refuses as invalid input. Anything else that is thrown goes on. */
export function refusal(call: () => unknown): InvalidInputError {
  try {
    call();
  } catch (thrown) {
    if (thrown instanceof TenutoError && thrown.kind === "invalid-input") return thrown;
    throw thrown;
  }
  throw new Error("nothing was refused");
}
