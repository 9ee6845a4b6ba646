// The JSON paths of printer columns: names, indexes, [*] and filters that compare one field.
// https://kubernetes.io/docs/reference/kubectl/jsonpath/

type Step = { name: string } | { index: number } | 'all' | { filter: readonly string[]; equals: unknown };

/** Throws when the path is none. */
export function parseJsonPath(path: string): readonly Step[] {
  const steps: Step[] = [];
  const pattern =
    /\.\*|\.(?:[^.[\]\\*]|\\.)+|\[(-?\d+)\]|\[\*\]|\[(?:'([^']*)'|"([^"]*)")\]|\[\?\(@((?:\.[\w-]+)+)\s*==\s*(?:'([^']*)'|"([^"]*)"|(\w+))\)\]/gy;
  let at = 0;
  while (at < path.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(path);
    if (!match) throw new Error(`unrecognized JSON path ${path} at ${path.slice(at)}`);
    const [text, index, single, double, filter, a, b, bare] = match;
    if (text === '.*' || text === '[*]') steps.push('all');
    else if (index !== undefined) steps.push({ index: Number(index) });
    else if (filter !== undefined)
      steps.push({ filter: filter.slice(1).split('.'), equals: a ?? b ?? JSON.parse(bare) });
    else steps.push({ name: single ?? double ?? text.slice(1).replaceAll('\\', '') });
    at += text.length;
  }
  return steps;
}

/** Every value that the path leads to. */
export function evaluate(steps: readonly Step[], object: any): unknown[] {
  let values: any[] = [object];
  for (const step of steps) values = values.flatMap((value) => follow(step, value));
  return values.filter((value) => value !== undefined && value !== null);
}

function follow(step: Step, value: any): any[] {
  if (value === null || value === undefined) return [];
  if (step === 'all') return Object.values(value);
  if ('name' in step) return [value[step.name]];
  if ('index' in step) return Array.isArray(value) ? [value.at(step.index)] : [];
  const items: any[] = Array.isArray(value) ? value : [];
  return items.filter((item) => step.filter.reduce((at, name) => at?.[name], item) === step.equals);
}
