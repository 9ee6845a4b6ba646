// Parses large texts in a separate thread: one message and one response per text. parsing.ts is its client.

import { parentPort, workerData } from 'node:worker_threads';
import { limitNesting } from '../../machinery/text/depth.ts';
import { mayLoseDigits, parseExact } from '../../machinery/text/exact-json.ts';
import { checkJson, JsonSyntaxError } from '../../machinery/text/json.ts';
import { parseYaml, YamlError } from '../../machinery/text/yaml.ts';
import type { Answer, Task } from './parsing.ts';

/** Parsing JSON text again is faster than a structured clone, unless integers exceed doubles. */
const asJson = (json: string): Answer => (mayLoseDigits(json) ? { value: parseExact(json) } : { json });

function answerOf({ text, encoding }: Task): Answer {
  try {
    if (encoding === 'json') {
      const { duplicates, places, unsafe } = checkJson(text);
      return { ...(unsafe ? { value: parseExact(text) } : { json: true }), duplicates, places };
    }
    const { value, duplicates } = parseYaml(text);
    return { ...(value === undefined ? { value } : asJson(JSON.stringify(value))), duplicates };
  } catch (error) {
    if (error instanceof YamlError || error instanceof JsonSyntaxError) return { fault: error.message };
    if (error instanceof RangeError) return { fault: 'exceeded max depth' };
    throw error;
  }
}

limitNesting(workerData.mostNested);
parentPort?.on('message', (task: Task) => parentPort?.postMessage(answerOf(task)));
