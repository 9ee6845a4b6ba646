import { describe, expect, test } from 'vitest';
import { forwardCommand, portsOf } from './ports.ts';

describe('ports', () => {
  test.each([
    ['of a service', 'services', { ports: [{ port: 80 }] }, [{ port: '80', text: '80', isTls: false }]],
    [
      'with a name of HTTPS',
      'services',
      { ports: [{ port: 9, name: 'https-x' }] },
      [{ port: '9', text: '9 (https-x)', isTls: true }],
    ],
    ['of UDP: none', 'services', { ports: [{ port: 53, protocol: 'UDP' }] }, []],
    [
      'of all containers, each once',
      'pods',
      { containers: [{ ports: [{ containerPort: 1 }] }, { ports: [{ containerPort: 1 }, { containerPort: 2 }] }] },
      [
        { port: '1', text: '1', isTls: false },
        { port: '2', text: '2', isTls: false },
      ],
    ],
    ['of an object of any shape: none', 'pods', { containers: [{ ports: 'x' }, null, 5] }, []],
  ] as const)('%s', (_, resource, spec, expected) => expect(portsOf(resource, spec)).toEqual(expected));

  test('the command uses a local port that needs no rights', () =>
    expect(forwardCommand('services', 'shop', 'web', '80')).toBe('kubectl -n shop port-forward service/web 8080:80'));
});
