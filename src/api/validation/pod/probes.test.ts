import { describe, expect, test } from 'vitest';
import { type FaultRow, faultFinder } from '../../kinds/test-faults.ts';

const find = faultFinder('v1/pods', { spec: { containers: [{ name: 'c', image: 'i' }], os: { name: 'linux' } } });
const c = 'spec.containers[0]';
const exec = { exec: { command: ['x'] } };
const expectFaults = (path: string, value: unknown, faults: string[]) =>
  expect(find.onCreate(path, value)).toEqual(faults);
const negative = 'must be greater than or equal to 0';

describe('probes', () => {
  const p = `${c}.readinessProbe`;
  test.each<FaultRow>([
    [p, {}, [`${p}: Required value: must specify a handler type`]],
    [p, { exec: {} }, [`${p}.exec.command: Required value`]],
    [p, { exec: { command: [] } }, [`${p}.exec.command: Required value`]],
    [p, { httpGet: {} }, [`${p}.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive`]],
    [
      p,
      { httpGet: { port: '', path: '', scheme: 'http' } },
      [
        `${p}.httpGet.port: Invalid value: "": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)`,
        `${p}.httpGet.port: Invalid value: "": must contain at least one letter (a-z)`,
        `${p}.httpGet.scheme: Unsupported value: "http": supported values: "HTTP", "HTTPS"`,
      ],
    ],
    [
      p,
      { tcpSocket: { port: '80' } },
      [`${p}.tcpSocket.port: Invalid value: "80": must contain at least one letter (a-z)`],
    ],
    [p, { grpc: {} }, [`${p}.grpc.port: Invalid value: 0: must be between 1 and 65535, inclusive`]],
    [
      p,
      { grpc: { port: 70_000, service: '' } },
      [`${p}.grpc.port: Invalid value: 70000: must be between 1 and 65535, inclusive`],
    ],
    [
      p,
      { httpGet: { port: 1, httpHeaders: [{ value: 'v' }, { name: 'X_Y' }] } },
      ['', 'X_Y'].map(
        (name) =>
          `${p}.httpGet.httpHeaders: Invalid value: "${name}": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')`,
      ),
    ],
    [
      p,
      { ...exec, httpGet: { port: 0 }, tcpSocket: {}, grpc: {} },
      ['httpGet', 'tcpSocket', 'grpc'].map(
        (kind) => `${p}.${kind}: Forbidden: may not specify more than 1 handler type`,
      ),
    ],
    [
      p,
      {
        ...exec,
        initialDelaySeconds: -1,
        timeoutSeconds: -1,
        periodSeconds: -1,
        successThreshold: -1,
        failureThreshold: -1,
        terminationGracePeriodSeconds: 0,
      },
      [
        `${p}.initialDelaySeconds: Invalid value: -1: ${negative}`,
        `${p}.timeoutSeconds: Invalid value: -1: ${negative}`,
        `${p}.periodSeconds: Invalid value: -1: ${negative}`,
        `${p}.successThreshold: Invalid value: -1: ${negative}`,
        `${p}.failureThreshold: Invalid value: -1: ${negative}`,
        `${p}.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0`,
        `${p}.terminationGracePeriodSeconds: Invalid value: 0: must not be set for readinessProbes`,
      ],
    ],
    [p, { ...exec, successThreshold: 3 }, []],
    [p, { ...exec, timeoutSeconds: 0, periodSeconds: 0, successThreshold: 0, failureThreshold: 0 }, []],
    [
      `${c}.startupProbe`,
      { ...exec, successThreshold: 3 },
      [`${c}.startupProbe.successThreshold: Invalid value: 3: must be 1`],
    ],
    [
      `${c}.livenessProbe`,
      { ...exec, terminationGracePeriodSeconds: -1, successThreshold: -1 },
      [
        `${c}.livenessProbe.successThreshold: Invalid value: -1: ${negative}`,
        `${c}.livenessProbe.terminationGracePeriodSeconds: Invalid value: -1: must be greater than 0`,
        `${c}.livenessProbe.successThreshold: Invalid value: -1: must be 1`,
      ],
    ],
    [`${c}.livenessProbe`, { ...exec, sleep: { seconds: -1 } }, []],
  ])('%s = %j', expectFaults);
});

describe('lifecycle hooks', () => {
  const l = `${c}.lifecycle`;
  test.each<FaultRow>([
    [l, {}, []],
    [
      l,
      { postStart: {}, preStop: {} },
      [
        `${l}.postStart: Required value: must specify a handler type`,
        `${l}.preStop: Required value: must specify a handler type`,
      ],
    ],
    [l, { preStop: { sleep: {} } }, []],
    [
      l,
      { preStop: { sleep: { seconds: 31 } } },
      [`${l}.preStop.sleep: Invalid value: 31: must be non-negative and less than terminationGracePeriodSeconds (30)`],
    ],
    [
      l,
      { preStop: { sleep: { seconds: -1 }, ...exec } },
      [`${l}.preStop.sleep: Forbidden: may not specify more than 1 handler type`],
    ],
    // The feature gate of stop signals is off.
    [l, { stopSignal: 'SIGODD' }, []],
    [l, { stopSignal: 'SIGTERM' }, []],
  ])('%s = %j', expectFaults);
});
