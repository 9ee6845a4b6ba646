import { describe, expect, test } from 'vitest';
import { admissionServer, ns } from './test-admission.ts';

const { call, start } = admissionServer();

describe('EventRateLimit', () => {
  const post = (name: string, about = 'p') =>
    call('POST', `${ns}/events`, {
      metadata: { name },
      involvedObject: { kind: 'Pod', namespace: 'default', name: about },
    });

  test('a bucket is refilled with time', async () => {
    const clock = await start({
      enabled: 'EventRateLimit',
      configuration: { eventLimits: [{ type: 'Namespace', qps: 1, burst: 2 }] },
    });
    expect([(await post('a')).code, (await post('b')).code]).toEqual([201, 201]);
    const { code, body } = await post('c');
    expect([code, body.reason, body.message]).toEqual([
      429,
      'TooManyRequests',
      'Too many requests: limit reached on type Namespace for key default',
    ]);
    await clock.advance(1_000);
    expect((await post('c')).code).toBe(201);
  });

  test('each source and object has a bucket, and the oldest is evicted', async () => {
    await start({
      enabled: 'EventRateLimit',
      configuration: { eventLimits: [{ type: 'SourceAndObject', qps: 1, burst: 1, cacheSize: 1 }] },
    });
    expect((await post('a', 'one')).code).toBe(201);
    expect((await post('b', 'one')).code).toBe(429);
    expect((await post('c', 'two')).code).toBe(201);
    expect((await post('d', 'one')).code).toBe(201);
  });

  test.each([
    ['Server' as const, 'limit reached on type Server for key '],
    ['User' as const, 'limit reached on type User for key system:admin'],
  ])('limits by %s', async (type, message) => {
    await start({ enabled: 'EventRateLimit', configuration: { eventLimits: [{ type, qps: 1, burst: 1 }] } });
    expect((await post('a')).code).toBe(201);
    const { code, body } = await post('b', 'another');
    expect([code, body.message]).toEqual([429, `Too many requests: ${message}`]);
  });

  test('counts neither reads nor other kinds', async () => {
    await start({ enabled: 'EventRateLimit', configuration: { eventLimits: [{ type: 'Server', qps: 1, burst: 1 }] } });
    expect((await post('a')).code).toBe(201);
    expect((await call('GET', `${ns}/events`)).code).toBe(200);
    expect((await call('POST', `${ns}/configmaps`, { metadata: { name: 'c' } })).code).toBe(201);
  });
});
