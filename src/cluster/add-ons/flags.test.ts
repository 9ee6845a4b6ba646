import { expect, test } from 'vitest';
import { endpoint, portNumber, readFlags } from './flags.ts';

const readers = { port: portNumber, at: endpoint(10249) };
const read = (...args: string[]) => readFlags<{ port: number; at: ReturnType<typeof readers.at> }>(args, readers);

test.each([
  [[], {}],
  [['--port=53'], { port: 53 }],
  [['--port', '53'], { port: 53 }],
  [['-port=53', '--at=127.0.0.1:80'], { port: 53, at: { host: '127.0.0.1', port: 80 } }],
  [['--at=[::1]:80'], { at: { host: '::1', port: 80 } }],
  [['--at=0.0.0.0'], { at: { host: '0.0.0.0', port: 10249 } }],
  [['--at='], { at: undefined }],
])('%j', (args, values) => {
  expect(read(...args)).toEqual(values);
});

test.each([
  [['--config=/a'], 'unsupported argument "--config=/a": supported are --port, --at'],
  [['-v=2'], 'unsupported argument "-v=2"'],
  [['port'], 'unsupported argument "port"'],
  [['--toString'], 'unsupported argument "--toString"'],
  [['--constructor=1'], 'unsupported argument "--constructor=1"'],
  [['--port'], '--port needs a value'],
  [['--port=0'], '--port=0: it must be a port from 1 to 65535'],
  [['--port=65536'], '--port=65536: it must be'],
  [['--port=1e3'], '--port=1e3: it must be'],
  [['--at=localhost:1'], '--at=localhost:1: it must be an address and a port'],
])('%j is refused', (args, message) => {
  expect(() => read(...args)).toThrow(message);
});
