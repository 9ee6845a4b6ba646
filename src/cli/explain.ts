import type { Decision } from '../cluster/cluster.ts';
import { askControl } from '../cluster/control.ts';
import { runningProcess } from '../cluster/data-directory.ts';
import { bold, CliError, type ClusterOptions, dim, directoryOf, print } from './options/options.ts';

export async function explain(
  kind: string,
  name: string,
  options: ClusterOptions & { namespace: string; output: 'text' | 'json' },
): Promise<void> {
  if (!['pod', 'pods', 'po'].includes(kind)) throw new CliError(`cannot explain "${kind}": only pod`, 2);
  const directory = directoryOf(options);
  if (!(await runningProcess(directory)))
    throw new CliError(`no cluster runs in ${directory.root}: start it with "./coracle up"`, 3);
  const pod = `${options.namespace}/${name}`;
  const decision = await askControl<Decision | null>(directory.controlSocket, 'explain', { pod });
  if (!decision)
    throw new CliError(
      `no scheduling decision is recorded for the pod ${pod}: it does not exist, was not scheduled by this cluster's scheduler, or that was too long ago`,
    );
  if (options.output === 'json') print(JSON.stringify(decision, null, 2));
  else printDecision(decision);
}

function printDecision({ pod, time, node, message, filtered, ranked, evaluated, total }: Decision): void {
  print(`${bold(pod)}  ${node ? `went to ${bold(node)}` : 'has no node'}  ${dim(time)}`);
  if (!node) print(`  ${message}`);
  print(`  ${evaluated} of ${total} nodes were looked at`);
  if (ranked.length > 0) printRanking(ranked);
  if (filtered.length === 0) return;
  print('\nFiltered out');
  const width = Math.max(...filtered.map((f) => f.node.length));
  for (const f of filtered) print(`  ${f.node.padEnd(width)}  ${f.plugin}: ${f.reasons.join(', ')}`);
}

function printRanking(ranked: Decision['ranked']): void {
  const plugins = Object.keys(ranked[0].scores);
  if (plugins.length === 0) return print(`\nThe only node that was left: ${ranked[0].node}`);
  const width = Math.max(4, ...ranked.map((r) => r.node.length));
  print(
    `\nRanked (the score of each plugin times its weight)\n  ${'NODE'.padEnd(width)}  TOTAL  ${plugins.join('  ')}`,
  );
  for (const { node, total, scores } of ranked)
    print(
      `  ${node.padEnd(width)}  ${String(total).padStart(5)}  ${plugins.map((name) => String(scores[name]).padStart(name.length)).join('  ')}`,
    );
}
