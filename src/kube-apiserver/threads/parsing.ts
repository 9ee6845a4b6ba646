// Parses request texts. Small ones are parsed at once; large ones in another thread, so that other requests do not
// wait.

import { JsonSyntaxError, type ReadText, readText, YamlError } from '../../api/api.ts';
import { parseExact } from '../../machinery/text/exact-json.ts';
import { joinSteps, type SplitJson } from '../../machinery/text/split-json.ts';
import { finishInTurns } from '../../machinery/time/steps.ts';
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
  /** `true`: the value of the task's text as JSON; undefined: there is none. */
  readonly value?: SplitJson | true;
  readonly duplicates?: readonly string[];
  readonly places?: ReadonlyMap<string, number> | undefined;
}

export const parseThread = (limits?: Partial<Limits>) => new TaskThread<Task, Answer>('parse-worker', limits);

const thread = parseThread();

/** Does not throw for a faulty text: the returned function does. */
export async function parsed(text: string, encoding: Task['encoding'], reader = thread): Promise<ReadText> {
  if (text.length < large[encoding]) return () => readText(text, encoding);
  const { fault, value: split, duplicates = [], places } = await reader.run({ text, encoding });
  if (fault !== undefined)
    return () => {
      throw encoding === 'yaml' ? new YamlError(fault) : new JsonSyntaxError(fault);
    };
  const value =
    split === true ? parseExact(text) : split === undefined ? undefined : await finishInTurns(joinSteps(split));
  return () => ({ value, duplicates, ...(places && { places }) });
}
