// Node ports in an etcd that one of Kubernetes' API servers uses too.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { createMemoryStore, type Store, type Value, valueOfText } from '../../store/store.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { readKubernetesPorts, readStoredPorts } from './kubernetes-ports.ts';

const key = '/registry/ranges/servicenodeports';
const range = { from: 30_000, to: 30_010 };

/** As Kubernetes writes it; `data`: field 3 with the bits, those of 30002 and 30008 by default. */
function recorded(data = '1a020104'): Buffer {
  const type = `0a02${hex('v1')}120f${hex('RangeAllocation')}`;
  const raw = `0a100a0012001a0022002a00320038004200120b${hex('30000-30010')}${data}`;
  const length = (raw.length / 2).toString(16);
  return Buffer.from(`${hex('k8s\0')}0a15${type}12${length}${raw}1a002200`, 'hex');
}
const hex = (text: string) => Buffer.from(text).toString('hex');
const inJson = valueOfText(
  JSON.stringify({ kind: 'RangeAllocation', apiVersion: 'v1', metadata: {}, range: '30000-30010', data: 'AQQ=' }),
);

let store: Store;
let server: TestServer;
beforeEach(async () => {
  store = createMemoryStore({ clock: new VirtualClock() });
  server = await startTestServer({ store, config: { nodePortRange: range } });
});
afterEach(() => server.stop());

const put = (value: Value) => store.commit([{ key, value }]);
const ports = async () => (await readStoredPorts(store, range))?.ports();
const services = '/api/v1/namespaces/default/services';
const make = async (name: string, nodePort?: number) => {
  const spec = { type: 'NodePort', ports: [{ port: 80, ...(nodePort && { nodePort }) }] };
  const { code, body } = await server.call('POST', services, { metadata: { name }, spec });
  return code === 201 ? body.spec.ports[0].nodePort : `${code} ${body.message}`;
};

describe.each([
  ['protobuf', recorded()],
  ['JSON', inJson],
])('a record in %s', (_, value) => {
  beforeEach(async () => {
    await put(value);
  });

  test('is read', async () => expect(await ports()).toEqual([30_002, 30_008]));

  test('a port in it is refused, and a free one is added', async () => {
    expect(await make('taken', 30_002)).toBe(
      '422 Service "taken" is invalid: spec.ports[0].nodePort: Invalid value: 30002: provided port is already allocated',
    );
    expect(await make('free', 30_003)).toBe(30_003);
    expect(await ports()).toEqual([30_002, 30_003, 30_008]);
  });

  test('drawn ports are others, until the range is full', async () => {
    const drawn = [];
    for (let i = 0; i < 9; i++) drawn.push(await make(`s${i}`));
    expect(drawn.sort()).toEqual([30_000, 30_001, 30_003, 30_004, 30_005, 30_006, 30_007, 30_009, 30_010]);
    expect(await make('more')).toBe('500 Internal error occurred: failed to allocate a nodePort: range is full');
  });

  test('a removed service and a changed port leave it', async () => {
    await make('web', 30_005);
    const patch = { spec: { ports: [{ port: 80, nodePort: 30_006 }] } };
    await server.call('PATCH', `${services}/web`, patch, { contentType: 'application/merge-patch+json' });
    expect(await ports()).toEqual([30_002, 30_006, 30_008]);
    await server.call('DELETE', `${services}/web`);
    expect(await ports()).toEqual([30_002, 30_008]);
  });
});

test('services made at the same time each get a separate port in it', async () => {
  await put(recorded());
  const made = await Promise.all([...'abcdefghi'].map((name) => make(name)));
  expect(new Set(made).size).toBe(9);
  expect(await ports()).toEqual([...made, 30_002, 30_008].sort());
});

test('the metadata is kept byte by byte', async () => {
  await put(recorded());
  const record = await readStoredPorts(store, range);
  expect(record?.changed([], [])).toBeUndefined();
  expect(Buffer.from(record!.changed([], [30_008])!.value as Uint8Array)).toEqual(recorded('1a0104'));
});

test.each([
  ['none', undefined],
  ['one of another range', valueOfText('{"range":"1-2","data":""}')],
  ['one that is encrypted', valueOfText('k8s:enc:aescbc:v1:k:xxxx')],
])('without a record that can be used: %s', async (_, value) => {
  const entry = value === undefined ? undefined : { key, value, createRevision: 2, modRevision: 2, lease: 0 };
  expect(await readKubernetesPorts(async () => entry, range)).toBeUndefined();
});
