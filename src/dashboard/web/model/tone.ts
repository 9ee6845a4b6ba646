// The colour that a word of a status gets.

export type Tone = 'ok' | 'busy' | 'bad' | 'plain';

const tones: readonly (readonly [RegExp, Tone])[] = [
  [/^(Running|Active|Bound|Ready|Complete|Completed|Succeeded|Available|True|Healthy|Approved,Issued|Normal)$/, 'ok'],
  [
    /(Failed|Error|Err|BackOff|Evicted|NotReady|OOMKilled|Lost|Invalid|Unknown|Unschedulable|Warning|DeadlineExceeded)/,
    'bad',
  ],
  [
    /(Pending|Creating|Initializing|Terminating|Init:|Waiting|Released|Suspended|SchedulingDisabled|Progressing)/,
    'busy',
  ],
];

export const toneOf = (word: string): Tone => tones.find(([pattern]) => pattern.test(word))?.[1] ?? 'plain';

/** `2/3`: not all are ready. */
export function toneOfCount(text: string): Tone {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  if (!match) return 'plain';
  return match[1] === match[2] ? 'plain' : 'busy';
}
