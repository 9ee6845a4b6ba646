// The faults of a YAML text: those of its syntax, and those that the server's schema shows.

import { parseAllDocuments } from 'yaml';
import { fieldsIn, textIn } from '../../../machinery/parsed.ts';
import { schemaOf } from './schemas.ts';

interface TextFault {
  readonly from: number;
  readonly to: number;
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

export async function faultsOf(text: string): Promise<TextFault[]> {
  const documents = parseAllDocuments(text, { version: '1.1', schema: 'core' });
  if (!Array.isArray(documents)) return [];
  const faults: TextFault[] = [];
  for (const document of documents) {
    for (const { pos, message } of document.errors)
      faults.push({ from: pos[0], to: Math.max(pos[0], pos[1]), severity: 'error', message: message.split('\n')[0] });
    if (document.errors.length > 0) continue;
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    const schema = await schemaOf(textIn(fieldsIn(value)['apiVersion']), textIn(fieldsIn(value)['kind']));
    const fault = schema?.document.faultOf(schema.root, value);
    if (!fault) continue;
    const [from, to] = rangeOf(document, fault.path);
    faults.push({ from, to, severity: 'warning', message: `${fault.path.join('.')}: ${fault.message}` });
  }
  return faults.filter(({ from, to }) => to <= text.length && from <= to);
}

interface Ranged {
  getIn(path: readonly unknown[], keepScalar: boolean): unknown;
}

/** Of the value, or of the nearest one above it. */
function rangeOf(document: Ranged, path: readonly string[]): readonly [number, number] {
  for (let length = path.length; length > 0; length--) {
    const words = path.slice(0, length).map((word) => (/^\d+$/.test(word) ? Number(word) : word));
    const { range } = fieldsIn(document.getIn(words, true));
    if (Array.isArray(range)) return [Number(range[0]), Number(range[1])];
  }
  return [0, 1];
}
