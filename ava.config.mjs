// Tests run as compiled code. Each file is a process of its own, and the preload gives that process its own network and
// mount namespace (see test/support/enter-sandbox.cts).
export default {
  files: ["dist/test/**/*.test.js"],
  nodeArguments: ["--require=./dist/test/support/enter-sandbox.cjs"],
  workerThreads: false,
  timeout: "2m",
};
