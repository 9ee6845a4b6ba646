// A reporter that names, at the end of a run, the tests that passed only when they ran again.

import type { Reporter, TestModule } from 'vitest/node';

export default class ReportFlaky implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const flaky = modules.flatMap((module) =>
      [...module.children.allTests('passed')]
        .filter((test) => test.diagnostic()?.flaky)
        .map((test) => `  ${module.relativeModuleId}: ${test.fullName}`),
    );
    if (flaky.length > 0) console.log(`\nPassed only when run again, look at them:\n${flaky.join('\n')}`);
  }
}
