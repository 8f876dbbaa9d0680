import type { Descriptor, InvalidField } from "#core/scheduler/api/scheduler.js";
import { type Hook, REGISTRATION_PREFIX, type Registration } from "#proto/index.js";

/** `IFNAMSIZ` of linux/if.h is 16, with the zero at the end. */
const LONGEST_NAME = 15;

/** What a registration may put into the environment of its programs: names that mean nothing to a loader or a shell. */
const VARIABLE = /^HOOK_[A-Z0-9_]+$/;

/** Registrations for the scheduler's graph: nothing is made in the southbound, the gate acts on what is desired. */
export const registrationDescriptor: Descriptor<Registration> = {
  name: "ifmgr-registration",
  prefix: REGISTRATION_PREFIX,
  validate: (_key, { interface: name = "", hooks = [] }) => [
    ...validateName(name),
    ...hooks.flatMap((hook, position) => validateHook(hook, `hooks[${position}]`)),
  ],
  update: () => undefined,
};

/** Is it a name that an interface can have? As the kernel sees it: net/core/dev.c, dev_valid_name(). */
export function isHostName(name: string): boolean {
  return (
    name !== "" && name !== "." && name !== ".." && Buffer.byteLength(name) <= LONGEST_NAME && !/[/:\s]/.test(name)
  );
}

function validateName(name: string): readonly InvalidField[] {
  if (isHostName(name)) return [];
  const problem = `is "${name}", expected the host name of an interface: at most ${LONGEST_NAME} bytes, no slash, colon or space`;
  return [{ field: "interface", problem }];
}

function validateHook({ event, command = "", environment = {} }: Hook, field: string): readonly InvalidField[] {
  const problems: InvalidField[] = [];
  if (event === undefined || event === "UNDEFINED") {
    problems.push({ field: `${field}.event`, problem: "is missing, expected when to run" });
  }
  if (!command.startsWith("/")) {
    problems.push({ field: `${field}.command`, problem: `is "${command}", expected the absolute path of a program` });
  }
  for (const name of Object.keys(environment)) {
    if (VARIABLE.test(name)) continue;
    problems.push({ field: `${field}.environment`, problem: `has "${name}", expected names that begin with HOOK_` });
  }
  return problems;
}
