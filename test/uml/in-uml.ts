import { join } from "node:path";
import test from "ava";
import { runInUml, umlKernel } from "./machine.js";
import { resultsOf, type TapResult } from "./tap.js";

/** Its tests have titles that begin with those of the types. */
const TYPES_FILE = "types.test.js";

/** What the machine is to have of the kinds of links. */
const MODULES = "veth bridge dummy 8021q vrf bonding ipvlan macvlan geneve ip_gre vxlan tun".split(" ");

/** How many of the types are for the machine that has nothing else to do. */
export const shareOf = (types: readonly string[]): number => Math.ceil(types.length * 0.6);

/** A machine shares the processors with all other tests: generous, since only a failure waits that long. */
const TIME_LIMIT = 1_800_000;

/**
 * Runs test files of test/linux in a machine of user-mode Linux, with `TENUTO_TEST_TYPES` set to the titles of the interface types
 * that are meant, and declares a test here for each type, and one for everything else. Without any type there is nothing to
 * do; without user-mode Linux there is one skipped test, or with `CI=true` a failing one.
 */
export function declareTestsInUml(files: readonly string[], types: readonly string[]): void {
  if (types.length === 0) {
    test("this kernel has these kinds of links itself", (t) => t.pass());
  } else if (umlKernel() === undefined) {
    const declare = process.env.CI === "true" ? test : test.skip;
    declare(`this kernel lacks ${types.join(", ")}, and user-mode-linux is not installed`, (t) => {
      t.fail("continuous integration must not skip these tests: apt-get install user-mode-linux kmod");
    });
  } else {
    const running = run(files, types);
    for (const type of types) declareTest(type, running, (title) => title.startsWith(`${type} `));
    const others = files.filter((file) => file !== TYPES_FILE);
    if (others.length > 0) {
      declareTest(others.join(", "), running, (title) => !types.some((type) => title.startsWith(`${type} `)));
    }
  }
}

async function run(files: readonly string[], types: readonly string[]): Promise<readonly TapResult[]> {
  const ava = [process.execPath, "node_modules/ava/entrypoints/cli.mjs", "--tap", "--timeout=5m", "--concurrency=1"];
  const { output, log } = await runInUml({
    modules: MODULES,
    command: [...ava, ...files.map((file) => join("dist/test/linux", file))],
    environment: { TENUTO_TEST_TYPES: types.join("|"), TENUTO_TEST_SANDBOX: "" },
    timeLimit: TIME_LIMIT,
  });
  if (!/^1\.\.\d+$/m.test(output)) throw new Error(`the tests did not come to their end\n${log.slice(-4000)}`);
  // With several files ava puts the file's name in front.
  return resultsOf(output).map((result) => ({ ...result, title: result.title.replace(/^\S+ › /, "") }));
}

function declareTest(title: string, running: Promise<readonly TapResult[]>, isMeant: (title: string) => boolean): void {
  test(`${title}, in user-mode Linux`, async (t) => {
    t.timeout(TIME_LIMIT);
    const own = (await running).filter((result) => isMeant(result.title));
    for (const result of own) t.true(result.passed, `${result.title}\n${result.details}`);
    t.log(`${own.length} tests`);
    t.true(own.length > 0);
  });
}
