// A client that creates config maps and reads, without a pause, until its standard input ends. It prints the record.
// Usage: node steady-client.ts KUBECONFIG

import { isApiError } from '../../src/api/api.ts';
import { createClient, httpsTransport, loadKubeconfig } from '../../src/client/client.ts';
import { systemClock as clock } from '../../src/machinery/time/clock.ts';

export interface SteadyRecord {
  /** Names of config maps whose creation was acknowledged. */
  readonly acknowledged: readonly string[];
  /** Status codes of refused creations, with their numbers. */
  readonly refused: Readonly<Record<string, number>>;
  /** Requests without an answer. */
  readonly unanswered: number;
  /** Successful reads while creations were refused. */
  readonly readsMeanwhile: number;
  /** The longest time without a successful read. */
  readonly longestReadGapMs: number;
  /** The longest time without an acknowledged creation. */
  readonly longestWriteGapMs: number;
}

if (import.meta.main) await main(process.argv[2]);

async function main(kubeconfig: string): Promise<void> {
  const options = await loadKubeconfig(kubeconfig);
  const connect = () => {
    const transport = httpsTransport(options);
    return { client: createClient(transport), close: () => transport.close() };
  };
  let isOver = false;
  process.stdin
    .on('data', () => {})
    .on('end', () => {
      isOver = true;
    });
  const acknowledged: string[] = [];
  const refused: Record<string, number> = {};
  let [unanswered, readsMeanwhile, longestReadGapMs, longestWriteGapMs, isRefused] = [0, 0, 0, 0, false];
  const write = async () => {
    let { client, close } = connect();
    for (let i = 0, lastMs = clock.monotonic(); !isOver; i++)
      try {
        await client.create('configmaps', { metadata: { namespace: 'default', name: `steady-${i}` } });
        acknowledged.push(`steady-${i}`);
        longestWriteGapMs = Math.max(longestWriteGapMs, clock.monotonic() - lastMs);
        lastMs = clock.monotonic();
        isRefused = false;
      } catch (error) {
        if (isApiError(error)) refused[error.code] = (refused[error.code] ?? 0) + 1;
        else unanswered++;
        isRefused = isApiError(error);
        close();
        ({ client, close } = connect());
        await clock.sleep(20);
      }
    close();
  };
  const read = async () => {
    let { client, close } = connect();
    for (let lastMs = clock.monotonic(); !isOver; await clock.sleep(10))
      try {
        await client.get('namespaces', { name: 'default' });
        if (isRefused) readsMeanwhile++;
        longestReadGapMs = Math.max(longestReadGapMs, clock.monotonic() - lastMs);
        lastMs = clock.monotonic();
      } catch {
        unanswered++;
        close();
        ({ client, close } = connect());
      }
    close();
  };
  await Promise.all([write(), read()]);
  const record: SteadyRecord = {
    acknowledged,
    refused,
    unanswered,
    readsMeanwhile,
    longestReadGapMs,
    longestWriteGapMs,
  };
  process.stdout.write(JSON.stringify(record));
}
