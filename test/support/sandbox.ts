/**
 * The test process's own network: what it can make in it and how to look at it. Importing this file fails outside the
 * sandbox (see enter-sandbox.cts), so a test that uses it can never change the host.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

if (process.env.TENUTO_TEST_SANDBOX !== "entered") {
  throw new Error("this test changes network state and must run under ava in the project's root, which sandboxes it");
}

const execute = promisify(execFile);

export interface IpOptions {
  /** Run in this named namespace; the sandbox's own when left out. */
  readonly namespace?: string;
}

/** Runs a program in the sandbox and returns its standard output. Throws with its standard error when it fails. */
export async function run(command: readonly string[], { namespace }: IpOptions = {}): Promise<string> {
  const inside = namespace === undefined ? command : ["nsenter", `--net=/run/netns/${namespace}`, ...command];
  const [program = "", ...parameters] = inside;
  const { stdout } = await execute(program, parameters, { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/**
 * `ip` with JSON output: `await ip("-d", "link", "show")` is the array that iproute2 prints, `[]` when it prints nothing.
 * Type arguments say what the caller expects of an entry.
 */
export async function ip<T = Readonly<Record<string, unknown>>>(
  ...parameters: readonly (string | IpOptions)[]
): Promise<readonly T[]> {
  const words = parameters.filter((parameter) => typeof parameter === "string");
  const options = parameters.find((parameter) => typeof parameter === "object");
  const output = await run(["ip", "-json", ...words], options);
  return output.trim() === "" ? [] : JSON.parse(output);
}

/** One link as `ip -json -details address` prints it; the fields that tests look at. */
export interface LinkView {
  readonly ifindex: number;
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly operstate: string;
  readonly address: string;
  readonly ifalias?: string;
  readonly master?: string;
  readonly link?: string | null;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: Readonly<Record<string, unknown>>;
  };
  readonly addr_info: readonly {
    readonly family: "inet" | "inet6";
    readonly local: string;
    readonly prefixlen: number;
    readonly scope: string;
    readonly protocol?: string;
  }[];
}

/** Every link with its addresses, details included. */
export function links(options: IpOptions = {}): Promise<readonly LinkView[]> {
  return ip<LinkView>("-details", "address", "show", options);
}

/** One link by name, `undefined` when there is none. */
export async function link(name: string, options: IpOptions = {}): Promise<LinkView | undefined> {
  return (await links(options)).find(({ ifname }) => ifname === name);
}

/** Addresses of a link as `10.0.0.1/24`, without the link-local ones that the kernel makes, sorted. */
export function addressesOf(view: LinkView): readonly string[] {
  return view.addr_info
    .filter(({ scope }) => scope !== "link")
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`)
    .sort();
}

/** Makes a named namespace with its loopback up. It ends with the test process. */
export async function createNamespace(name: string): Promise<void> {
  await run(["ip", "netns", "add", name]);
  await run(["ip", "link", "set", "lo", "up"], { namespace: name });
}

export async function deleteNamespace(name: string): Promise<void> {
  await run(["ip", "netns", "delete", name]);
}

/** Names of the namespaces in the sandbox. */
export async function namespaces(): Promise<readonly string[]> {
  return (await ip<{ name: string }>("netns", "list")).map(({ name }) => name);
}
