import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { FUSE_DEVICE } from "./programs.js";
import "./sandbox.js";

export { whyNoHungFileSystem } from "./programs.js";

/**
 * Mounts a file system whose server never answers, as that of a file server that is away. Whoever touches a path below it waits,
 * uninterruptibly, until the returned function ends it; calling that twice is harmless.
 */
export function mountHungFileSystem(directory: string): () => void {
  mkdirSync(directory, { recursive: true });
  const fd = openSync(FUSE_DEVICE, "r+");
  const options = "fd=3,rootmode=40000,user_id=0,group_id=0";
  const mount = ["-i", "-n", "-t", "fuse", "-o", options, "hung", directory];
  const { status, stderr } = spawnSync("mount", mount, { stdio: ["ignore", "ignore", "pipe", fd], encoding: "utf8" });
  if (status !== 0) {
    closeSync(fd);
    throw new Error(`mount ${directory}: ${stderr}`);
  }
  let isMounted = true;
  return () => {
    if (!isMounted) return;
    isMounted = false;
    closeSync(fd);
    execFileSync("umount", ["--lazy", directory]);
  };
}
