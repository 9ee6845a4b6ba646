import { expect, test } from 'vitest';
import { startTestServer } from '../testing/test-server.ts';

test('many requests one after the other leave turns of the event loop to others', async () => {
  const server = await startTestServer();
  try {
    let turns = 0;
    let isOver = false;
    const count = () => {
      if (isOver) return;
      turns++;
      setImmediate(count);
    };
    setImmediate(count);
    for (let i = 0; i < 2_000; i++) await server.call('GET', `/api/v1/namespaces/default/configmaps/gone-${i}`);
    isOver = true;
    expect(turns).toBeGreaterThan(2);
  } finally {
    await server.stop();
  }
});
