import { defineConfig } from 'vitest/config';

/** Tests of processes, files and networks of the machine: each file has its own process. */
const system = ['src/{container-runtime,kube-proxy,store}/**/*.test.ts', 'test/**/*.test.ts'];

export default defineConfig({
  test: {
    pool: 'forks',
    // As the launcher starts the program: nesting is bounded by the stack.
    execArgv: ['--stack-size=6000'],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    projects: [
      // One process runs many files: loading the modules again for each one takes longer than most of these tests.
      {
        extends: true,
        test: {
          name: 'rooms',
          include: ['src/**/*.test.ts', 'scripts/**/*.test.ts'],
          exclude: system,
          isolate: false,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      // They wait for timeouts, leases and processes most of the time: one more than there are processors.
      {
        extends: true,
        test: { name: 'system', include: system, maxWorkers: 3, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
