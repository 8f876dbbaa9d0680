/** Decentralised authentication as `nsc` sets it up: an operator, an account and a user, each vouching for the next. */
import { nkeys } from "nats";

type KeyPair = ReturnType<typeof nkeys.createUser>;

/** `-1`: without limit. */
const WITHOUT_LIMIT = { subs: -1, data: -1, payload: -1 };
const CONNECTIONS = { ...WITHOUT_LIMIT, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
const JETSTREAM = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };

function jwt(subject: KeyPair, issuer: KeyPair, claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const name = subject.getPublicKey();
  const payload = { jti: name, iat: 1, iss: issuer.getPublicKey(), name, sub: name, nats: { ...claims, version: 2 } };
  const text = `${part({ typ: "JWT", alg: "ed25519-nkey" })}.${part(payload)}`;
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString("base64url")}`;
}

export interface Decentralised {
  /** For the server's configuration file. */
  readonly server: string;
  /** Content of the user's credentials file. */
  readonly credentials: string;
}

export function decentralised(): Decentralised {
  const operator = nkeys.createOperator();
  const system = nkeys.createAccount();
  const account = nkeys.createAccount();
  const user = nkeys.createUser();
  const accountOf = (pair: KeyPair, limits: object): string =>
    `${pair.getPublicKey()}: ${jwt(pair, operator, { limits, type: "account" })}`;
  const accounts = [accountOf(system, CONNECTIONS), accountOf(account, { ...CONNECTIONS, ...JETSTREAM })];
  const server = `
operator: ${jwt(operator, operator, { type: "operator" })}
system_account: ${system.getPublicKey()}
resolver: MEMORY
resolver_preload: { ${accounts.join("\n")} }`;
  const credentials = `-----BEGIN NATS USER JWT-----
${jwt(user, account, { ...WITHOUT_LIMIT, pub: {}, sub: {}, type: "user" })}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${Buffer.from(user.getSeed()).toString()}
------END USER NKEY SEED------
`;
  return { server, credentials };
}
