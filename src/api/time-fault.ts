const timeParts: readonly (readonly [pattern: RegExp, name: string, most?: number, least?: number])[] = [
  [/^\d{4}/, '2006'],
  [/^-/, '-'],
  [/^\d\d/, '01', 12, 1],
  [/^-/, '-'],
  [/^\d\d/, '02'],
  [/^T/, 'T'],
  [/^\d\d?/, '15', 23],
  [/^:/, ':'],
  [/^\d\d/, '04', 59],
  [/^:/, ':'],
  [/^\d\d([.,]\d+)?/, '05', 59],
  [/^\.\d{6}/, '.000000'],
  [/^(Z|[-+]\d\d:\d\d)/, 'Z07:00'],
];
const rangeNames: Readonly<Record<string, string>> = { '01': 'month', '15': 'hour', '04': 'minute', '05': 'second' };

/** Characters of a value that the message shows. */
const longest = 1_000;

/** The message of Go's time.Parse, which checks the day last. */
export function timeFault(value: string, layout: string): string {
  const text = JSON.stringify(value.length > longest ? `${value.slice(0, longest)}...` : value);
  let rest = value;
  for (const [pattern, name, most = Infinity, least = 0] of timeParts) {
    if (name.startsWith('.') && !layout.includes(name)) continue;
    const match = (name === '05' && layout.includes('.') ? /^\d\d/ : pattern).exec(rest)?.[0];
    if (match === undefined)
      return `parsing time ${text} as "${layout}": cannot parse ${JSON.stringify(rest.slice(0, longest))} as "${name}"`;
    if (name in rangeNames && !(Number.parseInt(match, 10) <= most && Number.parseInt(match, 10) >= least))
      return `parsing time ${text}: ${rangeNames[name]} out of range`;
    rest = rest.slice(match.length);
  }
  return rest
    ? `parsing time ${text}: extra text: ${JSON.stringify(rest.slice(0, longest))}`
    : `parsing time ${text}: day out of range`;
}
