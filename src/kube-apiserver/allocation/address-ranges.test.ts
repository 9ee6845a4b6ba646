import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../testing/test-server.ts';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer({ config: { serviceCidr: '10.0.0.0/29' } });
});
afterEach(() => server.stop());

const ranges = '/apis/networking.k8s.io/v1/servicecidrs';
const merge = { contentType: 'application/merge-patch+json' };

async function range(name: string, cidrs: readonly string[]): Promise<void> {
  const { code, body } = await server.call('POST', ranges, { metadata: { name }, spec: { cidrs } });
  expect(code, body.message).toBe(201);
}
async function ready(name: string, status: 'True' | 'False'): Promise<void> {
  const condition = { type: 'Ready', status, reason: 'R', message: 'm', lastTransitionTime: '2026-01-01T00:00:00Z' };
  const body = { status: { conditions: [condition] } };
  expect((await server.call('PATCH', `${ranges}/${name}/status`, body, merge)).code).toBe(200);
}
let count = 0;
async function address(clusterIP?: string): Promise<string> {
  const spec = { ports: [{ port: 80 }], ...(clusterIP && { clusterIP }) };
  const metadata = { name: `s${count++}` };
  const { code, body } = await server.call('POST', '/api/v1/namespaces/default/services', { metadata, spec });
  return code === 201 ? body.spec.clusterIP : body.message;
}
const fill = () => Promise.all(Array.from({ length: 6 }, () => address()));

test('when the first range is full, addresses come from the next one that is ready', async () => {
  expect(new Set(await fill()).size).toBe(6);
  expect(await address()).toContain('range is full');
  await range('more', ['10.1.0.0/29', '2001:db8::/120']);
  await ready('more', 'False');
  expect(await address()).toContain('range is full');
  await ready('more', 'True');
  const more = await fill();
  expect(new Set(more)).toEqual(new Set([1, 2, 3, 4, 5, 6].map((i) => `10.1.0.${i}`)));
  expect(await address()).toContain('range is full');
});

test('a range that is not ready any more gives no address', async () => {
  await range('more', ['10.1.0.0/29']);
  await ready('more', 'True');
  expect(await address('10.1.0.1')).toBe('10.1.0.1');
  await ready('more', 'False');
  expect(await address('10.1.0.2')).toContain('the provided network does not match the current range');
  await ready('more', 'True');
  expect(await address('10.1.0.1')).toContain('provided IP is already allocated');
});

test('an address is taken in all ranges that overlap', async () => {
  await fill();
  await range('wide', ['10.0.0.0/28']);
  await ready('wide', 'True');
  // The last address of the smaller range is an ordinary one of the larger.
  const wide = await Promise.all(Array.from({ length: 8 }, () => address()));
  expect(wide.filter((text) => text.startsWith('10.0.0.')).length).toBeGreaterThanOrEqual(7);
  expect(new Set(wide).size).toBe(8);
  expect(await address('10.0.0.1')).toContain('provided IP is already allocated');
});

test('a range without the condition gives addresses, but not its ends', async () => {
  await range('more', ['10.1.0.0/29']);
  expect(await address('10.1.0.1')).toBe('10.1.0.1');
  for (const end of ['10.1.0.0', '10.1.0.7'])
    expect(await address(end)).toContain(
      `failed to allocate IP ${end}: the provided network does not match the current range`,
    );
});
