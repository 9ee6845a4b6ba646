import { get } from 'node:http';
import { type StandInStore, standInPath } from './protocol.ts';

const timeoutMs = 5_000;

/** Longest answer that is read, in bytes. */
const mostBytes = 65_536;

/**
 * The store of a stand-in for etcd at this URL; undefined for a real etcd. Rejects without a response. Only addresses
 * of this machine are tried, because the response is a path on it.
 */
export async function findStandIn(url: string): Promise<StandInStore | undefined> {
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'http:' || !/^(localhost|127\.[\d.]+|0\.0\.0\.0|\[::1?\])$/.test(hostname)) return undefined;
  const text = await read(new URL(standInPath, url));
  if (text === undefined) return undefined;
  const { directory, unsafeNoFsync } = JSON.parse(text);
  if (typeof directory !== 'string' || !directory.startsWith('/')) return undefined;
  return { directory, unsafeNoFsync: unsafeNoFsync === true };
}

function read(url: URL): Promise<string | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const request = get(url, { agent: false, timeout: timeoutMs }, (answer) => {
    let text = '';
    answer.setEncoding('utf8');
    answer.on('data', (part: string) => {
      text += part;
      if (text.length > mostBytes) answer.destroy();
    });
    answer.on('error', reject);
    answer.on('close', () => resolve(answer.statusCode === 200 ? text : undefined));
  });
  request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
  request.on('error', reject);
  return promise;
}
