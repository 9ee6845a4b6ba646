import { beforeEach, describe, expect, test } from 'vitest';
import { admissionServer } from './test-admission.ts';

const { call, create, start } = admissionServer();
beforeEach(() => start());

interface PodSpec {
  [field: string]: unknown;
}

describe('RuntimeClass', () => {
  beforeEach(async () => {
    await call('POST', '/apis/node.k8s.io/v1/runtimeclasses', {
      metadata: { name: 'vm' },
      handler: 'h',
      overhead: { podFixed: { cpu: '250m' } },
      scheduling: { nodeSelector: { a: 'b' }, tolerations: [{ key: 'k' }] },
    });
  });

  test('overhead, node selector and tolerations reach the pod', async () => {
    const { body } = await create('p', { runtimeClassName: 'vm', nodeSelector: { own: 'x' } });
    expect(body.spec).toMatchObject({ overhead: { cpu: '250m' }, nodeSelector: { a: 'b', own: 'x' } });
    expect(body.spec.tolerations.at(-1)).toEqual({ key: 'k' });
  });

  test.each<[string, PodSpec, string]>([
    ['a class that does not exist', { runtimeClassName: 'ghost' }, 'pod rejected: RuntimeClass "ghost" not found'],
    [
      'another node selector',
      { runtimeClassName: 'vm', nodeSelector: { a: 'c' } },
      'conflict: runtimeClass.scheduling.nodeSelector[a] = b; pod.spec.nodeSelector[a] = c',
    ],
    [
      'own overhead',
      { overhead: { cpu: '1' } },
      'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
    ],
  ])('%s', async (_, spec, why) =>
    expect((await create('p', spec)).body.message).toBe(`pods "p" is forbidden: ${why}`),
  );
});
