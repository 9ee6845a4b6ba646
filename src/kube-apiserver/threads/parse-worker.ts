// Parses large texts in a separate thread: one message and one response per text. parsing.ts is its client.

import { parentPort, workerData } from 'node:worker_threads';
import { limitNesting } from '../../machinery/text/depth.ts';
import { JsonSyntaxError, parseJson } from '../../machinery/text/json.ts';
import { type SplitJson, splitSteps } from '../../machinery/text/split-json.ts';
import { parseYaml, YamlError } from '../../machinery/text/yaml.ts';
import { finish } from '../../machinery/time/steps.ts';
import type { Answer, Task } from './parsing.ts';

/** JSON.stringify has no form for the number of 1e999. */
function isWritable(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value !== 'object' || value === null || Object.values(value).every(isWritable);
}

function splitOf(value: unknown): SplitJson | true | undefined {
  if (value === undefined) return undefined;
  return isWritable(value) ? finish(splitSteps(value)) : true;
}

function answerOf({ text, encoding }: Task): Answer {
  try {
    const { value, ...rest } = encoding === 'json' ? parseJson(text) : parseYaml(text);
    const split = splitOf(value);
    return split === undefined ? rest : { value: split, ...rest };
  } catch (error) {
    if (error instanceof YamlError || error instanceof JsonSyntaxError) return { fault: error.message };
    if (error instanceof RangeError) return { fault: 'exceeded max depth' };
    throw error;
  }
}

limitNesting(workerData.mostNested);
parentPort?.on('message', (task: Task) => parentPort?.postMessage(answerOf(task)));
