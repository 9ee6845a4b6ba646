// Paths into a schema, such as .spec.replicas or .spec['a.b']: of selectable fields and of a rule's fieldPath.

/** The schema that the path leads to, with the names on the way; or why it leads nowhere. */
type FoundField = { readonly names: readonly string[]; readonly schema: JSONSchemaProps } | { readonly fault: string };

export function validFieldPath(path: string, schema: JSONSchemaProps, allowsBrackets = true): FoundField {
  const tokens = path.match(/'(?:[^'\\]|\\.)*'|[.[\]]|[^.[\]]+/g) ?? [];
  const names: string[] = [];
  let at = schema;
  for (let i = 0; i < tokens.length; ) {
    const step = nameAt(tokens, i, allowsBrackets);
    if ('fault' in step) return step;
    const { properties, additionalProperties } = at ?? {};
    if (properties && Object.hasOwn(properties, step.name)) at = properties[step.name];
    else if (!properties && typeof additionalProperties === 'object') at = additionalProperties;
    else return { fault: 'does not refer to a valid field' };
    names.push(step.name);
    i = step.next;
  }
  return { names, schema: at };
}

function nameAt(
  tokens: readonly string[],
  index: number,
  allowsBrackets: boolean,
): { readonly name: string; readonly next: number } | { readonly fault: string } {
  const end = { fault: 'unexpected end of JSON path' };
  const name = tokens[index + 1];
  switch (tokens[index]) {
    case '.':
      return name === undefined ? end : { name, next: index + 2 };
    case '[':
      if (!allowsBrackets) return { fault: 'array notation is not allowed' };
      if (name === undefined) return end;
      if (!/^'.*'$/s.test(name)) return { fault: `expected single quoted string but got ${name}` };
      if (tokens[index + 2] === undefined) return end;
      if (tokens[index + 2] !== ']') return { fault: `expected ] but got ${tokens[index + 2]}` };
      return { name: name.slice(1, -1).replace(/\\(.)/g, '$1'), next: index + 3 };
    default:
      return { fault: `expected [ or . but got: ${tokens[index]}` };
  }
}

import type { JSONSchemaProps } from '../../generated/types.ts';
