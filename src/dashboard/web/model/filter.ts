// The filter of a list: one line of text, which becomes a label selector, a field selector and a part of names.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors

interface Filter {
  /** Parts of names, in lower case; all must match. */
  readonly names: readonly string[];
  readonly labelSelector: string;
  readonly fieldSelector: string;
}

/** `key in (a, b)` has spaces inside; all other terms end at a space or a comma. */
const term = /!?[\w./-]+\s+(?:not)?in\s+\([^)]*\)|[^\s,]+/g;
const fieldPath = /^(metadata|spec|status|involvedObject|regarding)\.|^(reason|type|reportingComponent|source)(!?=)/;
const requirement = /^![\w./-]+$|^[\w./-]+(?:=|==|!=)[^=]*$|^[\w./-]+\s+(?:not)?in\s+\(/;

export function parseFilter(text: string): Filter {
  const [names, labels, fields]: [string[], string[], string[]] = [[], [], []];
  for (const [piece] of text.matchAll(term)) {
    if (!requirement.test(piece)) names.push(piece.toLowerCase());
    else if (fieldPath.test(piece)) fields.push(piece);
    else labels.push(piece);
  }
  return { names, labelSelector: labels.join(','), fieldSelector: fields.join(',') };
}
