// Metrics of configuration files that are read again: names, labels and help texts are those of Kubernetes.

import { createHash } from 'node:crypto';
import os from 'node:os';
import type { Metrics } from '../../machinery/metrics.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { serverId } from '../objects/identity-lease.ts';
import type { FileSource } from './live-files.ts';

type Configuration = 'authentication' | 'authorization' | 'encryption';

const help: Readonly<Record<Configuration, readonly [total: string, last: string]>> = {
  authentication: [
    'Total number of automatic reloads of authentication configuration split by status and apiserver identity.',
    'Timestamp of the last automatic reload of authentication configuration split by status and apiserver identity.',
  ],
  authorization: [
    'Total number of automatic reloads of authorization configuration split by status and apiserver identity.',
    'Timestamp of the last automatic reload of authorization configuration split by status and apiserver identity.',
  ],
  encryption: [
    'Total number of reload successes and failures of encryption configuration split by apiserver identity.',
    'Timestamp of the last successful or failed automatic reload of encryption configuration split by apiserver identity.',
  ],
};

/** Counts attempts to use a changed configuration, and shows the hash of the one in use. */
export function reloadMetrics(
  configuration: Configuration,
  metrics: Metrics,
  clock: Clock,
): Pick<FileSource<unknown>, 'opened' | 'attempted'> {
  const name = `apiserver_${configuration}_config_controller`;
  const [totalHelp, lastHelp] = help[configuration];
  const total = metrics.counter(`${name}_automatic_reloads_total`, totalHelp);
  const last = metrics.gauge(`${name}_automatic_reload_last_timestamp_seconds`, lastHelp);
  const info = metrics.gauge(
    `${name}_last_config_info`,
    `Information about the last applied ${configuration} configuration with hash as label, split by apiserver identity.`,
  );
  const id = hashOf(serverId(os.hostname()));
  const opened = ([text]: readonly string[]) => {
    info.clear();
    info.set(1, { apiserver_id_hash: id, hash: hashOf(text) });
  };
  return {
    opened,
    attempted(status, texts) {
      const labels = { status, apiserver_id_hash: id };
      total.add(1, labels);
      last.set(clock.now() / 1_000, labels);
      if (status === 'success') opened(texts);
    },
  };
}

const hashOf = (text: string): string => `sha256:${sha256(text).toString('hex')}`;
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
