/** The part of kafkajs that reads answers to Fetch requests. It has no types, since it is not meant for others. */
declare module "kafkajs/src/protocol/requests/fetch/index.js" {
  export interface FetchOptions {
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly fetchOffset: string }[];
    }[];
  }

  export interface FetchProtocol {
    readonly request: object;
    readonly response: {
      decode(answer: Buffer): Promise<object>;
      parse(decoded: object): Promise<object>;
    };
    readonly requestTimeout?: number;
  }

  export interface FetchDefinition {
    readonly versions: readonly string[];
    protocol: (version: { readonly version: number }) => (options: FetchOptions) => FetchProtocol;
  }

  const fetch: FetchDefinition;
  // biome-ignore lint/style/noDefaultExport: a CommonJS module
  export default fetch;
}
