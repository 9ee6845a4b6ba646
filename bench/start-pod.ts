// One pod from its creation to a state that is waited for.

import { namespace } from './objects.ts';
import { expectCode, type Target, within } from './target.ts';

const path = `/api/v1/namespaces/${namespace}/pods`;
export const image = process.env['BENCH_IMAGE'] ?? 'coracle.local/hello';
const patienceMs = 60_000;

/** Milliseconds until `accept` returns true for the pod, which is then deleted. Throws on timeout. */
export async function startPod(target: Target, name: string, accept: (pod: any) => boolean): Promise<number> {
  const { metadata } = JSON.parse(expectCode(await target.request('GET', `${path}?limit=1`), 200).body.toString());
  let done = () => {};
  let last = 'nothing';
  const accepted = new Promise<void>((resolve) => {
    done = resolve;
  });
  const query = `watch=1&resourceVersion=${metadata.resourceVersion}&fieldSelector=metadata.name%3D${name}`;
  const stop = await target.watch(`${path}?${query}`, (line) => {
    const { object } = JSON.parse(line);
    last = JSON.stringify(object.status ?? object);
    if (accept(object)) done();
  });
  const beginMs = performance.now();
  const spec = {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'main', image, imagePullPolicy: 'IfNotPresent' }],
  };
  expectCode(await target.request('POST', path, { metadata: { name }, spec }), 201);
  await within(patienceMs, accepted, () => `the pod ${name} was last seen as ${last}`);
  const tookMs = performance.now() - beginMs;
  stop();
  await target.request('DELETE', `${path}/${name}?gracePeriodSeconds=0`);
  return tookMs;
}

export const isReady = (pod: any): boolean =>
  pod.status?.conditions?.some((c: { type: string; status: string }) => c.type === 'Ready' && c.status === 'True') ??
  false;
export const isRunning = (pod: any): boolean => pod.status?.phase === 'Running';
