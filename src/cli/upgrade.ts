import { existsSync } from 'node:fs';
import { checkUpgrade, type Finding } from '../cluster/upgrade/upgrade.ts';
import { systemClock } from '../machinery/time/clock.ts';
import { CliError, type ClusterOptions, directoryOf, green, print, red } from './options/options.ts';

interface UpgradeOptions extends ClusterOptions {
  readonly check?: boolean;
  readonly output: 'text' | 'json';
}

const steps =
  'an upgrade is a new program on the same data directory: install it beside the former one, run its "coracle upgrade --check", make a backup, then run "down" and "up" with the new one, on one server after the other, nodes last';

/** Exit codes: 0 without a problem, 1 with one, 3 without a cluster. */
export async function upgrade(options: UpgradeOptions): Promise<void> {
  if (!options.check) throw new CliError(`give --check: ${steps}`, 2);
  const directory = directoryOf(options);
  if (!existsSync(directory.stamp)) throw new CliError(`there is no cluster in ${directory.root}`, 3);
  const findings = await checkUpgrade(directory, options.name, systemClock);
  if (options.output === 'json') print(JSON.stringify(findings, null, 2));
  else for (const finding of findings) print(lineOf(finding));
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
  if (count('problem') > 0)
    throw new CliError(
      options.output === 'json' ? '' : `this stands against an upgrade (problems: ${count('problem')})`,
    );
  if (options.output === 'text') print(`\nNothing stands against an upgrade. Warnings: ${count('warning')}.`);
}

const marks = { ok: green('ok'), warning: '! ', problem: red('!!') };

const lineOf = ({ level, subject, text }: Finding): string => `  ${marks[level]} ${subject.padEnd(15)} ${text}`;
