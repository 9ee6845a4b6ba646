import { expect, test } from 'vitest';
import { fencedClient, mayStillWrite } from './fenced.ts';
import type { Client } from './interface.ts';

const writes = ['create', 'createSubresource', 'update', 'patch', 'delete', 'deleteCollection'] as const;
const reads = ['get', 'list'] as const;

function recorded() {
  const calls: string[] = [];
  const record = (name: string) => async () => void calls.push(name);
  const client = Object.fromEntries([...writes, ...reads, 'raw'].map((name) => [name, record(name)]));
  return { calls, client: client as unknown as Client };
}

test('a process that does not lead reads, and writes nothing', async () => {
  const { calls, client } = recorded();
  let holds = false;
  const fenced = fencedClient(client, () => holds);
  type Call = (...args: unknown[]) => Promise<unknown>;
  for (const name of writes) await expect((fenced[name] as Call)('pods', {})).rejects.toThrow('does not lead any more');
  await expect(fenced.raw('POST', '/x', {})).rejects.toThrow('does not lead any more');
  for (const name of reads) await (fenced[name] as Call)('pods', {});
  await fenced.raw('GET', '/x');
  expect(calls).toEqual(['get', 'list', 'raw']);
  holds = true;
  for (const name of writes) await (fenced[name] as Call)('pods', {});
  expect(calls.slice(3)).toEqual([...writes]);
});

test('the fence holds during a write, and not for work that it leaves behind', async () => {
  let holds = true;
  const later = Promise.withResolvers<void>();
  let left: Promise<boolean> | undefined;
  const client = {
    create: async () => {
      left = later.promise.then(() => mayStillWrite());
      holds = false;
      return mayStillWrite();
    },
  } as unknown as Client;
  expect(await fencedClient(client, () => holds).create('pods', { metadata: {} } as never)).toBe(false);
  later.resolve();
  expect([await left, mayStillWrite()]).toEqual([true, true]);
});
