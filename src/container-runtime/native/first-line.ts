// The first line of a connection: a request or an answer, before the bytes of a stream.

import type { Socket } from 'node:net';

/** Pauses the socket after the line. Rejects if the connection closes before it. */
export function firstLine(socket: Socket): Promise<{ readonly line: string; readonly rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const read = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf(0x0a);
      if (end < 0) return;
      socket.off('data', read);
      socket.off('close', closed);
      socket.pause();
      resolve({ line: bytes.subarray(0, end).toString(), rest: bytes.subarray(end + 1) });
    };
    const closed = () => reject(new Error('connection closed'));
    socket.on('data', read);
    socket.once('close', closed);
  });
}
