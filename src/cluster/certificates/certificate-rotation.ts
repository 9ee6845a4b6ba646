// Renews the certificates of a running cluster.

import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { KeyPair } from './certificates.ts';

/** Certificates are renewed long before their end: a failed check costs nothing. */
const checkMs = 12 * 3_600_000;

interface RotationOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** In use, by name. */
  readonly current: ReadonlyMap<string, KeyPair>;
  /** Makes the certificates that are due, and resolves with all. */
  readonly ensure: () => Promise<ReadonlyMap<string, KeyPair>>;
  /** Brings certificates with these names into use. */
  readonly renewed: (names: ReadonlySet<string>) => Promise<void> | void;
}

/** One check. A pair is changed in place, so that its holders present the new certificate from now on. */
export async function renewCertificates({ current, ensure, renewed }: Omit<RotationOptions, 'clock' | 'logger'>) {
  const names = new Set<string>();
  for (const [name, pair] of await ensure()) {
    const used = current.get(name);
    if (!used || used.cert === pair.cert) continue;
    Object.assign(used, pair);
    names.add(name);
  }
  if (names.size) await renewed(names);
  return names;
}

interface Rotation {
  /** Checks now. Rejects with the reason when certificates cannot be renewed. */
  check(): Promise<void>;
  stop(): Promise<void>;
}

export function rotateCertificates(options: RotationOptions): Rotation {
  const { clock, logger } = options;
  const stopping = new AbortController();
  let last: Promise<unknown> = Promise.resolve();
  /** One at a time. */
  const check = () => {
    const next = last.then(async () => {
      const names = await renewCertificates(options);
      if (names.size) logger.info('certificates were renewed', { names: [...names] });
    });
    last = next.catch(() => {});
    return next;
  };
  const run = async () => {
    for (;;) {
      await clock.sleep(checkMs, stopping.signal).catch(() => {});
      if (stopping.signal.aborted) return;
      await check().catch((error: Error) =>
        logger.error('certificates cannot be renewed, trying again later', { error: error.message }),
      );
    }
  };
  const running = run();
  return {
    check,
    stop() {
      stopping.abort();
      return running;
    },
  };
}
