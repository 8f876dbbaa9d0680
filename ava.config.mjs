// Tests run as compiled code. Each file is a process of its own, and the preload gives that process its own network and
// mount namespace (see test/support/enter-sandbox.cts).
export default {
  files: ["dist/test/**/*.test.js"],
  nodeArguments: ["--require=./dist/test/support/enter-sandbox.cjs"],
  workerThreads: false,
  timeout: "4m",
  // What takes longest begins first, so that nothing is left to wait for at the end.
  sortTestFiles: (a, b) => length(b) - length(a) || a.localeCompare(b),
};

function length(file) {
  if (file.includes("/uml/")) return 2;
  return file.includes("-endurance.") || file.includes("/both-buses.") ? 1 : 0;
}
