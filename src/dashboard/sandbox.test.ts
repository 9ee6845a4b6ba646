import { expect, test } from 'vitest';
import type { Client } from '../client/client.ts';
import { answerSandbox, type SandboxControl } from './sandbox.ts';

function start({ isAdministrator = true, problem = '' } = {}) {
  const calls: string[] = [];
  const call = async <T>(name: string, result: T): Promise<T> => {
    calls.push(name);
    if (problem) throw new Error(problem);
    return result;
  };
  const sandbox: SandboxControl = {
    isOpen: async () => calls.at(-1) === 'open',
    open: () => call('open', { url: 'https://192.0.2.1:1/console/#code=x', kubeconfig: '/data/sandbox/kubeconfig' }),
    close: () => call('close', undefined),
  };
  const client = { create: async () => ({ status: { allowed: isAdministrator } }) } as unknown as Client;
  return {
    calls,
    async ask(method: string) {
      const { code, body } = await answerSandbox(sandbox, client, method);
      return { code, ...JSON.parse(String(body)) };
    },
  };
}

test('an administrator opens the sandbox, and removes it', async () => {
  const { calls, ask } = start();
  expect(await ask('GET')).toEqual({ code: 200, isOpen: false });
  expect(await ask('POST')).toMatchObject({ code: 201, isOpen: true, url: expect.stringContaining('#code=') });
  expect(await ask('GET')).toEqual({ code: 200, isOpen: true });
  expect(await ask('DELETE')).toEqual({ code: 200, isOpen: false });
  expect(calls).toEqual(['open', 'close']);
});

test('other users neither see it nor open it', async () => {
  const { calls, ask } = start({ isAdministrator: false });
  for (const method of ['GET', 'POST', 'DELETE']) expect((await ask(method)).code).toBe(403);
  expect(calls).toEqual([]);
});

test('the answer has the reason of a failed start', async () => {
  const { ask } = start({ problem: 'the sandbox: the disk is full' });
  expect(await ask('POST')).toMatchObject({ code: 503, message: 'the sandbox: the disk is full' });
});

test('other methods are refused', async () => expect((await start().ask('PUT')).code).toBe(405));
