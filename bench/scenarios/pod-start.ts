import { namespace } from '../objects.ts';
import { median, type Scenario } from '../scenario.ts';
import { expectCode } from '../target.ts';
import { prepareNamespace } from './api.ts';

const path = `/api/v1/namespaces/${namespace}/pods`;
const image = process.env['BENCH_IMAGE'] ?? 'coracle.local/hello';

/** Needs a cluster with a node that runs containers and has the image (BENCH_IMAGE). */
export const podStart: Scenario = {
  name: 'pod-start',
  about: 'from the creation of a pod to Ready, image present, one at a time',
  prepare: prepareNamespace,
  async run(target, scale) {
    const times: number[] = [];
    for (let i = 0; i < 10 * scale; i++) {
      const name = `start-${process.pid}-${i}`;
      const { metadata } = JSON.parse(expectCode(await target.request('GET', `${path}?limit=1`), 200).body.toString());
      let ready = () => {};
      const isReady = new Promise<void>((resolve) => {
        ready = resolve;
      });
      const stop = await target.watch(
        `${path}?watch=1&resourceVersion=${metadata.resourceVersion}&fieldSelector=metadata.name%3D${name}`,
        (line) => {
          const { object } = JSON.parse(line);
          if (
            object.status?.conditions?.some(
              (c: { type: string; status: string }) => c.type === 'Ready' && c.status === 'True',
            )
          )
            ready();
        },
      );
      const beginMs = performance.now();
      const spec = {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'main', image, imagePullPolicy: 'IfNotPresent' }],
      };
      expectCode(await target.request('POST', path, { metadata: { name }, spec }), 201);
      await isReady;
      times.push(performance.now() - beginMs);
      stop();
      await target.request('DELETE', `${path}/${name}?gracePeriodSeconds=0`);
    }
    return [{ name: 'pod start, p50', value: median(times), unit: 'ms', better: 'less' }];
  },
};
