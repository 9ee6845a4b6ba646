import { defineConfig } from 'vitest/config';

/** Tests of processes, files and networks of the machine: each file has its own process. */
const system = ['src/{container-runtime,kube-proxy,store}/**/*.test.ts', 'test/**/*.test.ts'];
/** Tests that bound the time of answers: more workers than processors make them fail. */
const timed = ['test/{attacks*,growth,turns}.test.ts', 'test/long/*.test.ts'];

export default defineConfig({
  test: {
    pool: 'forks',
    // As the launcher starts the program: nesting is bounded by the stack.
    execArgv: ['--stack-size=6000'],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    projects: [
      { extends: true, test: { name: 'timed', include: timed, maxWorkers: 2, sequence: { groupOrder: 1 } } },
      // Three: these mostly wait for programs.
      {
        extends: true,
        test: { name: 'system', include: system, exclude: timed, maxWorkers: 3, sequence: { groupOrder: 2 } },
      },
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
    ],
  },
});
