import { expect, test } from 'vitest';
import { completeConfig, defaultRanges, runConfigOf } from './config.ts';
import { shownOptions } from './flagz.ts';
import { settings } from './settings/settings.ts';

test('all options of a cluster are shown with their values', () => {
  const config = completeConfig({
    ...{ name: 'a', dataDirectory: '/tmp/a', nodes: 3, nodeIP: '192.0.2.1', port: 7_000 },
    evictionHard: { 'memory.available': '5%' },
  });
  const shown = shownOptions(runConfigOf(config, defaultRanges(config)));
  expect(Object.keys(shown).sort()).toEqual(
    Object.values(settings)
      .map(({ flag }) => flag)
      .sort(),
  );
  expect(shown).toMatchObject({
    port: '7000',
    nodes: '3',
    'node-ip': '192.0.2.1',
    'service-cidr': '10.96.0.0/12',
    'eviction-hard': 'memory.available<5%',
    'audit-policy': '',
    'anonymous-auth': 'true',
    'enable-admission-plugins': '[]',
  });
});
