// Tests run as compiled code. Each file is a process of its own, and the preload gives that process its own network and
// mount namespace (see test/support/enter-sandbox.cts). Files that are called *.machine.test.ts run in a virtual machine with another
// kernel (see test/support/machine.ts), the others here.
const machine = process.env.TENUTO_TEST_MACHINE;
const inMachine = machine !== undefined;
const there = machine === "bundled" ? "dist/machine/test" : "dist/test";

export default {
  files: [inMachine ? `${there}/**/*.machine.test.js` : "dist/test/**/!(*.machine).test.js"],
  // What test/run.ts says of the emulated processors.
  nodeArguments: [
    ...(inMachine ? ["--jitless", "--no-expose-wasm"] : []),
    "--require=./dist/test/support/enter-sandbox.cjs",
  ],
  workerThreads: false,
  // Most of them wait for something most of the time.
  ...(inMachine ? {} : { concurrency: 3 }),
  timeout: inMachine ? "8m" : "4m",
  // What takes longest begins first, so that nothing is left to wait for at the end.
  sortTestFiles: (a, b) => length(b) - length(a) || a.localeCompare(b),
};

function length(file) {
  if (/\/types[^/]*\.machine\.test\.js$/.test(file)) return 2;
  return file.includes("-endurance.") || file.includes("/both-buses.") ? 1 : 0;
}
