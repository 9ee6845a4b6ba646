// Frames of HTTP/2 as bytes, for clients that break its rules (RFC 9113).

import { connect, type TLSSocket } from 'node:tls';

const lengthInPrefix = 127;

const frameTypes = { headers: 1, reset: 3, settings: 4, window: 8 } as const;
const endOfStream = 1;
const endOfHeaders = 4;

export function frame(
  type: keyof typeof frameTypes,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
  flags = 0,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = frameTypes[type];
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header field's name or value (RFC 7541, section 5.2). */
function literal(text: string): Buffer {
  if (text.length >= lengthInPrefix) throw new Error('longer texts have another form');
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
}

/** The first entry of the table that a connection fills (RFC 7541, section 2.3.3), as a whole field. */
const firstOfTable = 0x80 | 62;
const entersTable = 0x40;

/** GET requests with many headers of a hundred bytes, of which all but the first take one byte each. */
export const repeating = (requests: number, path: string, headers: number): Buffer =>
  Buffer.concat(
    Array.from({ length: requests }, (_, i) => {
      const first = i ? [] : [Buffer.from([entersTable]), literal('a'), literal('a'.repeat(100))];
      const block = [...first, Buffer.alloc(headers, firstOfTable)];
      return frame('headers', 2 * i + 1, Buffer.concat([...fieldsOfGet(path), ...block]), endOfStream | endOfHeaders);
    }),
  );

/** A GET request. The numbers are fields of the static table (RFC 7541, appendix A). */
export const get = (stream: number, path: string): Buffer =>
  frame('headers', stream, Buffer.concat(fieldsOfGet(path)), endOfStream | endOfHeaders);

const fieldsOfGet = (path: string): Buffer[] => [
  ...[Buffer.from([0x82, 0x87, 0x04]), literal(path), Buffer.from([0x01]), literal('x')],
];

/** The beginning of a connection. `window`: bytes of each response that the client takes without further notice. */
export function preface(window = 65_535): Buffer {
  const initialWindowSize = Buffer.alloc(6);
  initialWindowSize.writeUInt16BE(4);
  initialWindowSize.writeUInt32BE(window, 2);
  return Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame('settings', 0, initialWindowSize)]);
}

export const widestWindow = 2 ** 31 - 1;

/** More bytes of all responses together. */
export function widen(bytes: number): Buffer {
  const increment = Buffer.alloc(4);
  increment.writeUInt32BE(bytes);
  return frame('window', 0, increment);
}

export const openTls = ({ hostname, port }: URL, protocol: 'h2' | 'http/1.1'): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const options = { host: hostname, port: Number(port), rejectUnauthorized: false, ALPNProtocols: [protocol] };
    const socket = connect(options, () => resolve(socket));
    socket.on('error', reject);
  });
