import { namespace } from '../objects.ts';
import type { Scenario } from '../scenario.ts';
import { expectCode } from '../target.ts';
import { prepareNamespace } from './api.ts';

const watchers = 1000;
const changes = 50;
const path = `/api/v1/namespaces/${namespace}/configmaps`;

export const watch: Scenario = {
  name: 'watch',
  about: '1,000 watchers of one resource: the cost of an event that is delivered',
  prepare: prepareNamespace,
  async run(target, scale) {
    const count = watchers * scale;
    let delivered = 0;
    let done = () => {};
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    const stops: (() => void)[] = [];
    const { metadata } = JSON.parse(expectCode(await target.request('GET', path), 200).body.toString());
    for (let i = 0; i < count; i++)
      stops.push(
        await target.watch(`${path}?watch=1&resourceVersion=${metadata.resourceVersion}`, () => {
          if (++delivered === count * changes) done();
        }),
      );
    const cpu = target.serverCpuMicros();
    const beginMs = performance.now();
    for (let i = 0; i < changes; i++)
      expectCode(await target.request('POST', path, { metadata: { generateName: 'w-' }, data: { n: String(i) } }), 201);
    await all;
    const seconds = (performance.now() - beginMs) / 1000;
    const used = cpu === undefined ? undefined : target.serverCpuMicros()! - cpu;
    for (const stop of stops) stop();
    return [
      { name: 'events delivered', value: (count * changes) / seconds, unit: '/s', better: 'more' },
      ...(used === undefined
        ? []
        : [
            {
              name: 'an event delivered: server CPU',
              value: used / (count * changes),
              unit: 'us',
              better: 'less' as const,
            },
          ]),
    ];
  },
  cleanUp: async (target) => void (await target.request('DELETE', path)),
};
