export default {
  files: ["tests/**/*.test.ts"],
  extensions: { ts: "module" },
  nodeArguments: ["--import=tsx"],
  require: ["./tests/seed.ts"],
  workerThreads: false,
  timeout: "5m",
};
