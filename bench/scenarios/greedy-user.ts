// A user with many requests in flight, in a separate thread, so that it does not delay the measuring one.

import { parentPort, workerData } from 'node:worker_threads';
import { expectCode, openTarget } from '../target.ts';

/** The user, and the number of its requests in flight. */
export interface Greedy {
  readonly kubeconfig: string;
  readonly token: string;
  readonly width: number;
}

const backOffMs = 1000;

const { kubeconfig, token, width, path }: Greedy & { path: string } = workerData;
const target = (await openTarget('greedy', kubeconfig, [])).as(token);
let isGoing = true;
let answered = 0;
let refused = 0;

async function ask(): Promise<void> {
  while (isGoing) {
    const { code } = expectCode(await target.request('GET', path), 200, 429);
    if (code === 200 && ++answered === width) parentPort!.postMessage('busy');
    if (code === 200) continue;
    refused++;
    await new Promise((resolve) => setTimeout(resolve, backOffMs));
  }
}

const asking = Promise.all(Array.from({ length: width }, ask));
parentPort!.once('message', async () => {
  parentPort!.postMessage({ answered, refused });
  isGoing = false;
  await asking;
});
