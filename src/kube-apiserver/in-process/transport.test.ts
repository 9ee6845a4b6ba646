import { expect, test } from 'vitest';
import { longestTurn } from '../../machinery/time/test-turn.ts';
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

test('many requests at once leave turns of the event loop to others', async () => {
  const server = await startTestServer();
  try {
    const path = (i: number) => `/api/v1/namespaces/default/configmaps/gone-${i}`;
    const all = () => Promise.all(Array.from({ length: 10_000 }, (_, i) => server.call('GET', path(i))));
    // In one turn they take a second and more.
    expect(await longestTurn(all)).toBeLessThan(400);
  } finally {
    await server.stop();
  }
});
