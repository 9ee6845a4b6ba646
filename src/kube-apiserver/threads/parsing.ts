// Parses request texts. Small ones are parsed at once; large ones in another thread, so that other requests do not
// wait.

import { JsonSyntaxError, type ReadText, readText, YamlError } from '../../api/api.ts';
import { type Limits, TaskThread } from './task-thread.ts';

/** Characters from which on a text is large. YAML takes twenty times as long as JSON. */
const large = { json: 512 << 10, yaml: 64 << 10 };

export interface Task {
  readonly text: string;
  readonly encoding: 'json' | 'yaml';
}

export interface Answer {
  /** Why the text cannot be read. */
  readonly fault?: string;
  /** The value, or its JSON text; `true`: the task's text. */
  readonly value?: unknown;
  readonly json?: string | true;
  readonly duplicates?: readonly string[];
  readonly places?: ReadonlyMap<string, number> | undefined;
}

export const parseThread = (limits?: Partial<Limits>) => new TaskThread<Task, Answer>('parse-worker', limits);

const thread = parseThread();

/** Does not throw for a faulty text: the returned function does. */
export async function parsed(text: string, encoding: Task['encoding'], reader = thread): Promise<ReadText> {
  if (text.length < large[encoding]) return () => readText(text, encoding);
  const answer = await reader.run({ text, encoding });
  return () => readAnswer(text, encoding, answer);
}

function readAnswer(text: string, encoding: Task['encoding'], { fault, json, ...rest }: Answer): ReturnType<ReadText> {
  if (fault !== undefined) throw encoding === 'yaml' ? new YamlError(fault) : new JsonSyntaxError(fault);
  const { value, duplicates = [], places } = rest;
  const found = json === undefined ? value : JSON.parse(json === true ? text : json);
  return { value: found, duplicates, ...(places && { places }) };
}
