// The node's logs: files and listings of /var/log, in the format of Go's http.FileServer. Links that lead out of it are
// not followed: a pod that writes there must not expose other files of the host.
// https://kubernetes.io/docs/concepts/cluster-administration/system-logs/#log-query

import { constants } from 'node:fs';
import { type FileHandle, readdir, realpath } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openBeneath, openRegularBeneath, pathOf, resolveBeneath, UnsafePathError } from '../files/safe-path.ts';

export const systemLogsDirectory = '/var/log';

/** Enough to see whether a file is text. */
const sniffedBytes = 512;

/** Answers for `name`, an unescaped path below `directory`; with a slash at its end it is a directory's. */
export async function serveSystemLog(
  directory: string,
  name: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const base = await realpath(directory);
    const within = await resolveBeneath(base, name);
    const entry = await openBeneath(base, within);
    const stats = await entry.stat().finally(() => entry.close());
    const isDirectory = stats.isDirectory();
    const last = encodeURIComponent(path.basename(name));
    if (isDirectory && name !== '' && !name.endsWith('/')) return redirect(response, `${last}/`);
    if (!isDirectory && name.endsWith('/')) return redirect(response, `../${last}`);
    response.setHeader('Last-Modified', stats.mtime.toUTCString());
    if (isDirectory) return await answerListing(base, within, request, response);
    await answerFile(await openRegularBeneath(base, within), request, response);
  } catch (error) {
    if (response.headersSent) throw error;
    response.removeHeader('Last-Modified');
    refuse(response, error as NodeJS.ErrnoException);
  }
}

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(301, { Location: location }).end();
}

const missing = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'];
const denied = ['EACCES', 'EPERM'];

function refuse(response: ServerResponse, error: NodeJS.ErrnoException): void {
  const { code = '' } = error;
  const isMissing = missing.includes(code) || error instanceof UnsafePathError;
  const [status, text] = isMissing
    ? [404, '404 page not found']
    : denied.includes(code)
      ? [403, '403 Forbidden']
      : [500, '500 Internal Server Error'];
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' });
  response.end(`${text}\n`);
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
};
const escaped = (text: string) => text.replace(/[&<>"']/g, (character) => entities[character] as string);

async function answerListing(
  base: string,
  within: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const handle = await openBeneath(base, within, constants.O_RDONLY | constants.O_DIRECTORY);
  const entries = await readdir(pathOf(handle), { withFileTypes: true }).finally(() => handle.close());
  const lines = entries
    .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    // A name with a colon would be read as a URL with a scheme.
    .map((name) => {
      const link = name.split('/').map(encodeURIComponent).join('/');
      return `<a href="${escaped(link)}">${escaped(name)}</a>\n`;
    });
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  const head = '<!doctype html>\n<meta name="viewport" content="width=device-width">\n';
  response.end(request.method === 'HEAD' ? undefined : `${head}<pre>\n${lines.join('')}</pre>\n`);
}

async function answerFile(
  handle: FileHandle | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (!handle) throw new UnsafePathError('only regular files are shown');
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(sniffedBytes), 0, sniffedBytes, 0);
    const type = isText(buffer.subarray(0, bytesRead)) ? 'text/plain; charset=utf-8' : 'application/octet-stream';
    response.writeHead(200, { 'Content-Type': type, 'Content-Length': size });
    if (request.method === 'HEAD' || size === 0) return void response.end();
    // A log that grows meanwhile is cut where it ended.
    await pipeline(handle.createReadStream({ start: 0, end: size - 1, autoClose: false }), response);
  } finally {
    await handle.close();
  }
}

/** As the WHATWG's sniffing has it: no control characters but those of text. */
const isText = (bytes: Buffer): boolean =>
  bytes.every(
    (byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0c || byte === 0x0d || byte === 0x1b,
  );
