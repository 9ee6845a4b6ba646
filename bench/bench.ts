// Measures one Kubernetes, or alternately two in one run, with the same client on the same machine.
//   ./coracle bench --kubeconfig A [--pids 1,2] [--kubeconfig B --pids 3] [--only create,get] [--runs 5] [--scale 0.1]
//   ./coracle bench --start native|simulated|servers
// `--pids` are the server's local processes: it adds their CPU time and memory to the report.

import os from 'node:os';
import { parseArgs } from 'node:util';
import { type Figure, median, type Scenario } from './scenario.ts';
import { create, createOne, get, list, patch } from './scenarios/api.ts';
import { busyNode } from './scenarios/busy-node.ts';
import { crowd } from './scenarios/crowd.ts';
import { podStart } from './scenarios/pod-start.ts';
import { scheduleScenarios } from './scenarios/schedule.ts';
import { measureServers } from './scenarios/servers.ts';
import { measureStart } from './scenarios/start.ts';
import { twoUsers } from './scenarios/two-users.ts';
import { watch } from './scenarios/watch.ts';
import { openTarget, type Target } from './target.ts';

const scenarios: readonly Scenario[] = [
  create,
  createOne,
  get,
  patch,
  list,
  watch,
  ...scheduleScenarios,
  podStart,
  busyNode,
  crowd,
  twoUsers,
];
/** Scenarios that need a special control plane or nodes: they run only by name. */
const onlyWhenNamed = [...scheduleScenarios, podStart, busyNode, crowd, twoUsers].map(({ name }) => name);

/** Median and spread of each figure, a column a target, and the ratio where there are two. */
function report(
  targets: readonly Target[],
  results: readonly Map<string, { figure: Figure; values: number[] }>[],
): void {
  const show = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
  for (const [name, { figure }] of results[0]) {
    const columns = results.map((result) => result.get(name)!.values);
    const texts = columns.map(
      (c) => `${show(median(c))} ${figure.unit} (${show(Math.min(...c))}-${show(Math.max(...c))})`,
    );
    const [a, b] = columns.map(median);
    const ratio = columns.length === 2 ? `  ${(figure.better === 'more' ? b / a : a / b).toFixed(1)}x` : '';
    console.log(
      `  ${name.padEnd(36)} ${texts.map((text, i) => `${targets.length > 1 ? `${targets[i].name}: ` : ''}${text.padEnd(30)}`).join(' ')}${ratio}`,
    );
  }
}

/** Figures of clusters that the benchmark starts itself. */
async function startFigures(what: string): Promise<readonly Figure[]> {
  if (what === 'servers') return measureServers();
  if (what === 'native' || what === 'simulated') return measureStart(what);
  throw new UsageError(`--start ${what}: must be native, simulated or servers`);
}

class UsageError extends Error {}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kubeconfig: { type: 'string', multiple: true, default: [] },
      pids: { type: 'string', multiple: true, default: [] },
      only: { type: 'string' },
      runs: { type: 'string', default: '5' },
      scale: { type: 'string', default: '1' },
      start: { type: 'string' },
    },
  });
  console.log(
    `${os.cpus()[0]?.model} x${os.availableParallelism()}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, Linux ${os.release()}, Node ${process.version}`,
  );
  if (values.start) {
    for (const { name, value, unit } of await startFigures(values.start))
      console.log(`  ${name.padEnd(36)} ${value.toFixed(0)} ${unit}`);
    return;
  }
  const pids = (index: number) => (values.pids[index] ?? '').split(',').filter(Boolean).map(Number);
  const targets = await Promise.all(values.kubeconfig.map((file, i) => openTarget(`${'AB'[i]}`, file, pids(i))));
  if (targets.length === 0 || targets.length > 2) throw new UsageError('name one or two clusters with --kubeconfig');
  const wanted = values.only?.split(',');
  for (const scenario of scenarios.filter((s) =>
    wanted ? wanted.includes(s.name) : !onlyWhenNamed.includes(s.name),
  )) {
    console.log(`${scenario.name}: ${scenario.about}`);
    const results = targets.map(() => new Map<string, { figure: Figure; values: number[] }>());
    for (const target of targets) await scenario.prepare?.(target, Number(values.scale));
    // The first run is not counted: it is about compilers and caches.
    if (!onlyWhenNamed.includes(scenario.name))
      for (const target of targets) await scenario.run(target, Number(values.scale));
    // Alternates targets, so that other load on the machine affects both.
    const runs = scenario.runsOnce ? 1 : Number(values.runs);
    for (let run = 0; run < runs; run++)
      for (const [i, target] of targets.entries())
        for (const figure of await scenario.run(target, Number(values.scale))) {
          const measured = results[i].get(figure.name) ?? { figure, values: [] };
          measured.values.push(figure.value);
          results[i].set(figure.name, measured);
        }
    for (const target of targets) await scenario.cleanUp?.(target);
    report(targets, results);
  }
  for (const target of targets) target.close();
}

try {
  await main();
} catch (error) {
  const isUsage =
    error instanceof UsageError || String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS');
  console.error(`error: ${isUsage ? (error as Error).message : (error as Error).stack}`);
  process.exit(isUsage ? 2 : 1);
}
