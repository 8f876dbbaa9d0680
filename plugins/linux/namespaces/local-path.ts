import { lstatSync, readFileSync, readlinkSync } from "node:fs";
import { posix } from "node:path";

/** Types of file systems that do not ask anybody else before they answer (proc(5), /proc/filesystems). */
const LOCAL = new Set(
  "bcachefs bpf btrfs cgroup cgroup2 devtmpfs erofs exfat ext2 ext3 ext4 f2fs jfs nsfs overlay proc ramfs rootfs securityfs squashfs sysfs tmpfs vfat xfs zfs".split(
    " ",
  ),
);
/** As many as the kernel follows (MAXSYMLINKS of include/linux/namei.h). */
const MOST_LINKS = 40;

/**
 * Does a path lead anywhere? Never waits: where it enters a file system that may keep its caller waiting (that of a server, say), or a part that only
 * the kernel can follow, it counts as there, and whoever opens it learns more. A path that may not be looked at counts as there too.
 */
export function seemsThere(path: string): boolean {
  const slow = slowMounts();
  const names = posix.normalize(path).split("/").filter(Boolean);
  let at = "/";
  for (let links = 0; names.length > 0; ) {
    const next = posix.join(at, names.shift() ?? "");
    if (slow.has(next)) return true;
    try {
      const stat = lstatSync(next);
      if (!stat.isSymbolicLink()) {
        at = next;
        continue;
      }
      // In /proc a link's text need not be where it leads: net:[4026531840].
      if (next.startsWith("/proc/")) return true;
      links += 1;
      if (links > MOST_LINKS) return false;
      const target = posix.resolve(at, readlinkSync(next));
      names.unshift(...target.split("/").filter(Boolean));
      at = "/";
    } catch (error) {
      return error instanceof Error && "code" in error && (error.code === "EACCES" || error.code === "EPERM");
    }
  }
  return true;
}

/** Mount points of file systems that may not answer. The root is none of them: without it there is no agent. */
function slowMounts(): ReadonlySet<string> {
  const points = new Set<string>();
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    // proc_pid_mountinfo(5): the mount point is the fifth field; the type follows a lone hyphen.
    const [mount = "", source = ""] = line.split(" - ");
    const point = mount
      .split(" ")[4]
      ?.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    const [type = ""] = source.split(" ");
    if (point !== undefined && point !== "/" && !LOCAL.has(type)) points.add(point);
  }
  return points;
}
