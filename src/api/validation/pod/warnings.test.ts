import { describe, expect, test } from 'vitest';
import type { Container, ContainerPort, PodSpec, Volume, VolumeProjection } from '../../generated/types.ts';
import { podWarnings } from './warnings.ts';

// Cases and messages of pkg/api/pod/warnings_test.go.
const of = (spec: object) => podWarnings({ containers: [], ...spec } as unknown as PodSpec);
const withPorts = (...containers: Partial<ContainerPort>[][]) =>
  of({ containers: containers.map((ports, index) => ({ name: `c${index}`, image: 'i', ports }) as Container) });
const volumes = (volume: Partial<Volume>) => of({ volumes: [{ name: 'foo', ...volume }] });
const projected = (...sources: object[]) => volumes({ projected: { sources: sources as VolumeProjection[] } });

const udp = { containerPort: 80, protocol: 'UDP' } as const;
const host = { ...udp, hostPort: 80 };
const at = (container: number, port: number) => `spec.containers[${container}].ports[${port}]`;

describe('ports', () => {
  test.each([
    ['the same port and protocol', [[udp, udp]], [`${at(0, 1)}: duplicate port definition with ${at(0, 0)}`]],
    ['the same host port', [[host, host]], [`${at(0, 1)}: duplicate port definition with ${at(0, 0)}`]],
    [
      'the same host address',
      [[{ ...host, hostIP: '10.0.0.1' }], [{ ...host, hostIP: '10.0.0.1' }]],
      [`${at(1, 0)}: duplicate port definition with ${at(0, 0)}`],
    ],
    ['different host ports', [[host, { ...host, hostPort: 81 }]], []],
    ['different protocols', [[udp, { ...udp, protocol: 'TCP' as const }]], []],
    ['one with a host port', [[host, udp]], [`${at(0, 1)}: overlapping port definition with ${at(0, 0)}`]],
    [
      'one without a host address between two with',
      [[{ ...host, hostIP: '10.0.0.1' }, host, { ...host, hostIP: '10.0.0.2' }]],
      [
        `${at(0, 1)}: dangerously ambiguous port definition with ${at(0, 0)}`,
        `${at(0, 2)}: dangerously ambiguous port definition with ${at(0, 1)}`,
      ],
    ],
    [
      'three times, in two containers',
      [[udp, udp], [udp]],
      [
        `${at(0, 1)}: duplicate port definition with ${at(0, 0)}`,
        `${at(1, 0)}: duplicate port definition with ${at(0, 0)}`,
        `${at(1, 0)}: duplicate port definition with ${at(0, 1)}`,
      ],
    ],
    [
      'names that are used twice',
      [[{ ...udp, name: 'a' }], [{ ...udp, containerPort: 81, name: 'a' }]],
      [
        `${at(1, 0)}: duplicate port name "a" with ${at(0, 0)}, services and probes that select ports by name will use ${at(0, 0)}`,
      ],
    ],
    [
      'a host address without a host port',
      [[{ ...udp, hostIP: '127.0.0.1' }]],
      [`${at(0, 0)}: hostIP set without hostPort: {Name: HostPort:0 ContainerPort:80 Protocol:UDP HostIP:127.0.0.1}`],
    ],
  ])('%s', (_, containers, warnings) => expect(withPorts(...containers)).toEqual(warnings));
});

describe('paths of volumes that hide each other', () => {
  const items = (...paths: string[]) => paths.map((path) => ({ key: 'k', path }));
  test.each([
    [
      'a ConfigMap',
      { configMap: { name: 'foo', items: items('test', 'test') } },
      '(ConfigMap "foo"): overlapping paths: "test" with "test"',
    ],
    [
      'a directory over a file',
      { configMap: { name: 'foo', items: items('test', 'test/app') } },
      '(ConfigMap "foo"): overlapping paths: "test/app" with "test"',
    ],
    [
      'a file over a directory',
      { configMap: { name: 'foo', items: items('test/app', 'test') } },
      '(ConfigMap "foo"): overlapping paths: "test" with "test/app"',
    ],
    [
      'a Secret',
      { secret: { secretName: 'foo', items: items('test', 'test') } },
      '(Secret "foo"): overlapping paths: "test" with "test"',
    ],
    [
      'fields of the pod',
      { downwardAPI: { items: items('test', 'test') } },
      '(DownwardAPI): overlapping paths: "test" with "test"',
    ],
  ])('%s', (_, volume, warning) => expect(volumes(volume)).toEqual([`volume "foo" ${warning}`]));

  const configMap = (path: string) => ({ configMap: { name: 'Test', items: items(path) } });
  const secret = (path: string) => ({ secret: { name: 'Test', items: items(path) } });
  const token = (path: string) => ({ serviceAccountToken: { path } });
  const fields = (path: string) => ({ downwardAPI: { items: items(path) } });
  test.each<[string, object[], string[]]>([
    [
      'a token and a ConfigMap',
      [configMap('test'), token('test')],
      ['"test" (ServiceAccountToken) with "test" (ConfigMap "Test")'],
    ],
    [
      'a token below a file',
      [configMap('test'), token('test/file')],
      ['"test/file" (ServiceAccountToken) with "test" (ConfigMap "Test")'],
    ],
    [
      'a token over a directory',
      [configMap('test/file'), token('test')],
      ['"test" (ServiceAccountToken) with "test/file" (ConfigMap "Test")'],
    ],
    [
      'a token and a Secret',
      [secret('test'), token('test')],
      ['"test" (ServiceAccountToken) with "test" (Secret "Test")'],
    ],
    [
      'a token and fields of the pod',
      [fields('test'), token('test')],
      ['"test" (ServiceAccountToken) with "test" (DownwardAPI)'],
    ],
    [
      'a ConfigMap below a Secret',
      [secret('test'), configMap('test/test1')],
      ['"test/test1" (ConfigMap "Test") with "test" (Secret "Test")'],
    ],
    ['names that only begin alike', [secret('test'), configMap('test1')], []],
  ])('%s', (_, sources, overlaps) =>
    expect(projected(...sources)).toEqual(
      overlaps.map((text) => `volume "foo" (Projected): overlapping paths: ${text}`),
    ),
  );

  test('a projection without a source', () =>
    expect(projected({})).toEqual(['volume "foo" (Projected) has no sources provided']));
});
