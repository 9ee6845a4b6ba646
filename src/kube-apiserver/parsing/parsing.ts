// The texts of requests. Small ones are read at once; large ones in another thread, where no other request waits for them.

import { JsonSyntaxError, type ReadText, readText, YamlError } from '../../api/api.ts';
import { type Answer, ParseThread, type Task } from './parse-thread.ts';

/** Characters from which on a text is large. YAML takes twenty times as long as JSON. */
const large = { json: 512 << 10, yaml: 64 << 10 };

const thread = new ParseThread();

/** Throws nothing that is the text's own fault: what is returned does. */
export async function parsed(text: string, encoding: Task['encoding'], reader = thread): Promise<ReadText> {
  if (text.length < large[encoding]) return () => readText(text, encoding);
  const answer = await reader.read({ text, encoding });
  return () => readAnswer(text, encoding, answer);
}

function readAnswer(text: string, encoding: Task['encoding'], { fault, json, ...rest }: Answer): ReturnType<ReadText> {
  if (fault !== undefined) throw encoding === 'yaml' ? new YamlError(fault) : new JsonSyntaxError(fault);
  const { value, duplicates = [], places } = rest;
  const found = json === undefined ? value : JSON.parse(json === true ? text : json);
  return { value: found, duplicates, ...(places && { places }) };
}
