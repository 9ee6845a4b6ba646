// The state of an object in one word, for any kind.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';
import { type Tone, toneOf } from './tone.ts';

interface ShortStatus {
  readonly text: string;
  readonly tone: Tone;
}

interface Described {
  readonly kind?: string;
  readonly metadata: { readonly deletionTimestamp?: string };
  readonly spec?: unknown;
  readonly status?: unknown;
}

export function statusOf(object: Described): ShortStatus | undefined {
  if (object.metadata.deletionTimestamp) return { text: 'Terminating', tone: 'busy' };
  const status = fieldsIn(object.status);
  if (object.kind === 'Pod') return toned(podStatus(object));
  const phase = textIn(status['phase']);
  if (phase) return toned(phase);
  const conditions = listIn(status['conditions']).map(fieldsIn);
  for (const type of ['Ready', 'Available', 'Established', 'Complete', 'Failed'])
    for (const condition of conditions)
      if (condition['type'] === type) {
        const isTrue = condition['status'] === 'True';
        if (type === 'Complete' || type === 'Failed') {
          if (isTrue) return toned(type);
        } else return isTrue ? { text: type, tone: 'ok' } : { text: notReady(type, object), tone: 'bad' };
      }
  return undefined;
}

const notReady = (type: string, { spec }: Described): string =>
  fieldsIn(spec)['unschedulable'] === true ? `Not${type}, SchedulingDisabled` : `Not${type}`;

const toned = (text: string): ShortStatus => ({ text, tone: toneOf(text) });

/** The reason of a container that waits or has ended counts more than the phase, as in kubectl's STATUS. */
function podStatus({ status }: Described): string {
  const { phase, reason, containerStatuses, initContainerStatuses } = fieldsIn(status);
  if (textIn(reason)) return textIn(reason);
  for (const container of listIn(initContainerStatuses)) {
    const { waiting, terminated } = fieldsIn(fieldsIn(container)['state']);
    if (terminated && Number(fieldsIn(terminated)['exitCode']) !== 0) return `Init:${reasonIn(terminated) || 'Error'}`;
    if (waiting && reasonIn(waiting) && reasonIn(waiting) !== 'PodInitializing') return `Init:${reasonIn(waiting)}`;
  }
  for (const container of listIn(containerStatuses)) {
    const { waiting, terminated } = fieldsIn(fieldsIn(container)['state']);
    if (waiting && reasonIn(waiting)) return reasonIn(waiting);
    if (terminated && reasonIn(terminated) && phase === 'Running') return reasonIn(terminated);
  }
  return textIn(phase) || 'Unknown';
}

const reasonIn = (state: unknown): string => textIn(fieldsIn(state)['reason']);
