import type { ClusterOptions } from './options.ts';
export async function explain(
  _kind: string,
  _name: string,
  _options: ClusterOptions & { namespace: string; output: 'text' | 'json' },
): Promise<void> {
  throw new Error('later');
}
