import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveSystemLog } from './system-logs.ts';

let directory: string;
let server: Server;
let base: string;

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'system-logs-'));
  const log = path.join(directory, 'log');
  await mkdir(path.join(log, 'pods'), { recursive: true });
  await writeFile(path.join(directory, 'secret'), 'secret');
  await writeFile(path.join(log, 'syslog'), 'one\ntwo\n');
  await writeFile(path.join(log, 'empty'), '');
  await writeFile(path.join(log, 'wtmp'), Buffer.from([0, 1, 2]));
  await writeFile(path.join(log, '<a & b>'), 'odd');
  await writeFile(path.join(log, 'pods', '0.log'), 'of a pod');
  await symlink('pods/0.log', path.join(log, 'inside'));
  await symlink('../secret', path.join(log, 'outside'));
  await symlink('..', path.join(log, 'parent'));
  server = createServer((request, response) => {
    const name = decodeURIComponent((request.url ?? '').slice('/logs/'.length));
    serveSystemLog(log, name, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/logs/`;
});
afterAll(async () => {
  server?.close();
  await rm(directory, { recursive: true, force: true });
});

const get = async (name: string, method = 'GET') => {
  const answer = await fetch(`${base}${name}`, { method, redirect: 'manual' });
  const { status, headers } = answer;
  return { status, type: headers.get('content-type'), location: headers.get('location'), text: await answer.text() };
};

describe('logs of the node', () => {
  test.each([
    { name: 'syslog', type: 'text/plain; charset=utf-8', text: 'one\ntwo\n' },
    { name: 'empty', type: 'text/plain; charset=utf-8', text: '' },
    { name: 'wtmp', type: 'application/octet-stream', text: '\0\u0001\u0002' },
    { name: 'pods/0.log', type: 'text/plain; charset=utf-8', text: 'of a pod' },
    { name: 'inside', type: 'text/plain; charset=utf-8', text: 'of a pod' },
    { name: '%3Ca%20%26%20b%3E', type: 'text/plain; charset=utf-8', text: 'odd' },
  ])('$name is shown', async ({ name, type, text }) =>
    expect(await get(name)).toMatchObject({ status: 200, type, text }),
  );

  test('directories are listed', async () => {
    const { status, type, text } = await get('');
    expect([status, type]).toEqual([200, 'text/html; charset=utf-8']);
    expect(text).toBe(
      [
        '<!doctype html>',
        '<meta name="viewport" content="width=device-width">',
        '<pre>',
        '<a href="%3Ca%20%26%20b%3E">&lt;a &amp; b&gt;</a>',
        ...['empty', 'inside', 'outside', 'parent', 'pods/', 'syslog', 'wtmp'].map((n) => `<a href="${n}">${n}</a>`),
        '</pre>',
        '',
      ].join('\n'),
    );
  });

  test.each([
    { name: 'pods', location: 'pods/' },
    { name: 'syslog/', location: '../syslog' },
  ])('$name is elsewhere', async ({ name, location }) =>
    expect(await get(name)).toMatchObject({ status: 301, location }),
  );

  test.each([
    'none',
    'none/',
    'syslog/x',
    'outside',
    'parent/secret',
    '..%2Fsecret',
    'pods%2F..%2F..%2Fsecret',
    '%2Fetc%2Fpasswd',
  ])('%s is not found', async (name) =>
    expect(await get(name)).toMatchObject({ status: 404, text: '404 page not found\n' }),
  );

  test('HEAD has no body', async () => expect(await get('syslog', 'HEAD')).toMatchObject({ status: 200, text: '' }));
});
