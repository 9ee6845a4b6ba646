// The reason of etcd's end, from its log: one JSON object a line.

import { fieldsIn, textIn } from '../../machinery/parsed.ts';

/** Causes that etcd words unclearly, with the remedy. */
const explained: readonly (readonly [RegExp, string])[] = [
  [/address already in use/, 'another program listens on its port: end it, or choose another port'],
  [/cannot assign requested address/, 'its address is none of this machine: choose one that is'],
  [/cluster ID mismatch/i, 'its data is of another cluster: choose another directory, or delete its data to join anew'],
  [
    /permanently removed from the cluster/,
    'the cluster has removed this machine: run "coracle down --delete" on it, then join again',
  ],
  [/no space left on device/, 'the disk is full: free space on it'],
  [/certificate has expired/, 'a certificate has expired, or the clock of a machine is wrong'],
];

/** The explained cause, else the last error; undefined when there is none. */
export function lastWords(log: string): string | undefined {
  const lines = log.split('\n').filter((line) => line.trim() !== '');
  for (const line of lines.toReversed())
    for (const [pattern, explanation] of explained)
      if (pattern.test(line)) return `${messageOf(line)} (${explanation})`;
  const last = lines.findLast((line) => !/"level":"(warn|info|debug)"/.test(line));
  return last && messageOf(last);
}

function messageOf(line: string): string {
  try {
    const fields = fieldsIn(JSON.parse(line));
    return [fields['msg'], fields['error']].map(textIn).filter(Boolean).join(': ');
  } catch {
    return line.slice(0, 300); // not of the logger: a panic, or a fault of the command line
  }
}
