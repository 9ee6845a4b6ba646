// When no node takes a pod, plugins look for something that helps: freeing devices, or preempting pods.
// https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/#post-filter

import type { BindTools, PostFilterInput, Preemption } from './framework.ts';

export interface PostFilterResult {
  readonly message: string;
  readonly preemption?: Preemption;
  readonly clearsNomination: boolean;
  readonly work?: (tools: BindTools) => Promise<void>;
}

export function runPostFilters(input: PostFilterInput): PostFilterResult {
  const reasons: string[] = [];
  let clearsNomination = false;
  let work: PostFilterResult['work'];
  for (const plugin of input.plugins) {
    const answer = plugin.postFilter?.(input);
    if (!answer) continue;
    if ('preemption' in answer) return { message: '', preemption: answer.preemption, clearsNomination: false };
    if ('error' in answer) return { message: answer.error, clearsNomination: false };
    reasons.push(answer.reason);
    clearsNomination ||= answer.clearsNomination ?? false;
    work ??= answer.work;
  }
  return { message: reasons.join(', '), clearsNomination, ...(work && { work }) };
}
