/**
 * Preloaded into every test process by ava (`nodeArguments`), before any other code: moves the process into a network and a
 * mount namespace of its own, with only a loopback link and with an empty /run and /var/lib (where agents keep sockets, named
 * namespaces and their store), so that no test can touch the host's network or meet another test's files.
 *
 * Namespaces belong to threads, and unshare(2) moves only the calling one. Threads that are started later copy those of
 * the main thread, so this must run before libuv starts its thread pool (which does `fs.promises`) and before any
 * Worker: hence a synchronous CommonJS preload and not ava's `require`, which runs after ava itself has read files.
 * test/sandbox/sandbox.test.ts checks it thread by thread.
 */
import childProcess = require("node:child_process");
import koffi = require("koffi");

// linux/sched.h and linux/mount.h
const CLONE_NEWNS = 0x00020000;
const CLONE_NEWNET = 0x40000000;
const MS_NOSUID = 0x2;
const MS_NODEV = 0x4;
const MS_REC = 0x4000;
const MS_PRIVATE = 0x40000;

const libc = koffi.load("libc.so.6");
const unshare = libc.func("int unshare(int flags)");
const mount = libc.func(
  "int mount(const char *source, const char *target, const char *type, ulong flags, const char *data)",
);

function check(result: number, what: string): void {
  if (result === 0) return;
  const { EPERM } = koffi.os.errno;
  const errno = koffi.errno();
  const advice = errno === EPERM ? "; tests need root or a user namespace: run them through `npm test -- <files>`" : "";
  throw new Error(`test sandbox: ${what} failed with errno ${errno}${advice}`);
}

function enter(): void {
  check(unshare(CLONE_NEWNET | CLONE_NEWNS), "unshare(CLONE_NEWNET | CLONE_NEWNS)");
  check(mount("none", "/", null, MS_REC | MS_PRIVATE, null), "making mounts private");
  check(mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"), "mounting an empty /run");
  check(mount("tmpfs", "/var/lib", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755"), "mounting an empty /var/lib");

  const lo = childProcess.spawnSync("ip", ["link", "set", "lo", "up"], { encoding: "utf8" });
  if (lo.status !== 0) throw new Error(`test sandbox: ip link set lo up: ${lo.error?.message ?? lo.stderr}`);
  process.env.TENUTO_TEST_SANDBOX = "entered";
}

// Workers and forked processes inherit Node's arguments, this preload among them. They are in the sandbox already.
if (process.env.TENUTO_TEST_SANDBOX !== "entered") enter();
