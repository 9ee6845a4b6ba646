// Writes that the server refused, in the form that it sends.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';

export interface Refusal {
  readonly key: string;
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  readonly user: string;
  readonly verb: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly message: string;
  /** An admission plugin, "authorization", or "validation". */
  readonly by: string;
}

export const refusalsIn = (answer: unknown): readonly Refusal[] =>
  listIn(fieldsIn(answer)['refusals']).map((item, index) => {
    const { timeMs, user, verb, group, resource, subresource, namespace, name, message, by } = fieldsIn(item);
    const plural = [textIn(resource), textIn(subresource)].filter(Boolean).join('/');
    return {
      key: `${String(timeMs)} ${index}`,
      timeMs: Number(timeMs) || 0,
      ...{ user: textIn(user), verb: textIn(verb), namespace: textIn(namespace), name: textIn(name) },
      ...{ message: textIn(message), by: textIn(by) },
      resource: textIn(group) ? `${plural}.${textIn(group)}` : plural,
    };
  });
