// A selector of an object as the text of a label selector.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';

/** Takes both forms: matchLabels with matchExpressions, and a plain map as services have. '' if it selects nothing. */
export function selectorText(selector: unknown): string {
  const { matchLabels, matchExpressions, ...plain } = fieldsIn(selector);
  const labels = { ...fieldsIn(matchLabels), ...(matchLabels || matchExpressions ? {} : plain) };
  const equal = Object.entries(labels).map(([name, value]) => `${name}=${textIn(value)}`);
  return [...equal, ...listIn(matchExpressions).map(expressionText)].join(',');
}

function expressionText(expression: unknown): string {
  const { key, operator, values } = fieldsIn(expression);
  const list = `(${listIn(values).map(textIn).join(',')})`;
  switch (operator) {
    case 'In':
      return `${textIn(key)} in ${list}`;
    case 'NotIn':
      return `${textIn(key)} notin ${list}`;
    case 'Exists':
      return textIn(key);
    default:
      return `!${textIn(key)}`;
  }
}
