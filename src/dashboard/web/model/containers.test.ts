import { expect, test } from 'vitest';
import { containersOf, debugName } from './containers.ts';

test('containers, running init containers and debug containers, with their states', () => {
  const spec = {
    containers: [{ name: 'a', stdin: true }, { name: 7 }, 'x'],
    initContainers: [{ name: 'done' }, { name: 'sidecar' }],
    ephemeralContainers: [{ name: 'debugger-1', tty: true }],
  };
  const status = {
    containerStatuses: [{ name: 'a', state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off' } } }],
    initContainerStatuses: [
      { name: 'done', state: { terminated: { reason: 'Completed' } } },
      { name: 'sidecar', state: { running: {} } },
    ],
    ephemeralContainerStatuses: [{ name: 'debugger-1', state: { running: {} } }],
  };
  expect(containersOf({ spec, status })).toEqual([
    { name: 'a', kind: 'container', isRunning: false, reason: 'CrashLoopBackOff: back-off', stdin: true, tty: false },
    { name: 'sidecar', kind: 'init', isRunning: true, reason: '', stdin: false, tty: false },
    { name: 'debugger-1', kind: 'debug', isRunning: true, reason: '', stdin: false, tty: true },
  ]);
  expect(containersOf({ spec: 'x', status: null })).toEqual([]);
});

test('debug containers have separate names', () => expect(debugName(['debugger-1', 'debugger-3'])).toBe('debugger-2'));
