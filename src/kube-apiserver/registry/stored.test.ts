// Objects that an earlier version stored, as they are read today.

import { expect, test } from 'vitest';
import { systemClock } from '../../machinery/time/clock.ts';
import { createMemoryStore, valueOfText } from '../../store/store.ts';
import { pod, startTestServer } from '../testing/test-server.ts';

test('a quantity of many megabytes that was stored is short when it is read', async () => {
  const store = createMemoryStore({ clock: systemClock });
  const quantity = `1${'0'.repeat(20_000_000)}`;
  const resources = { requests: { cpu: quantity } };
  const stored = pod('old', { containers: [{ name: 'c', image: 'x', resources }] });
  const metadata = { ...stored.metadata, namespace: 'default', uid: 'u', creationTimestamp: '2025-01-01T00:00:00Z' };
  const value = valueOfText(JSON.stringify({ ...stored, metadata }));
  await store.commit([{ key: '/registry/pods/default/old', value }]);
  const server = await startTestServer({ store });
  try {
    const { body } = await server.call('GET', '/api/v1/namespaces/default/pods/old');
    expect(body.spec.containers[0].resources.requests.cpu).toBe('9223372036854775807');
  } finally {
    await server.stop();
  }
});
