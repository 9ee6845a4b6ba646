// Rows and objects from responses of the API, without the parts that the page does not show.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';
import type { Cell, Column, Row } from '../model/rows.ts';
import type { ObjectEntry } from './protocol.ts';

export const columnsIn = (table: unknown): Column[] =>
  listIn(fieldsIn(table)['columnDefinitions']).map((item) => {
    const { name, type, format, description, priority } = fieldsIn(item);
    return {
      ...{ name: textIn(name), type: textIn(type), format: textIn(format), description: textIn(description) },
      priority: Number(priority ?? 0),
    };
  });

export const rowsIn = (table: unknown): Row[] => listIn(fieldsIn(table)['rows']).map(rowIn);

function rowIn(item: unknown): Row {
  const { cells, object } = fieldsIn(item);
  const { uid, name, namespace, creationTimestamp, deletionTimestamp } = fieldsIn(fieldsIn(object)['metadata']);
  return {
    key: textIn(uid) || `${textIn(namespace)}/${textIn(name)}`,
    ...{ namespace: textIn(namespace), name: textIn(name) },
    cells: listIn(cells).map(cellIn),
    created: Date.parse(textIn(creationTimestamp)) || 0,
    isDeleting: textIn(deletionTimestamp) !== '',
  };
}

const cellIn = (value: unknown): Cell => {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  return value === null || value === undefined ? null : JSON.stringify(value);
};

export function entryIn(object: unknown): ObjectEntry {
  const { uid, name, namespace } = fieldsIn(fieldsIn(object)['metadata']);
  return { key: textIn(uid) || `${textIn(namespace)}/${textIn(name)}`, object };
}

/** The items of a list have no kind: each gets that of the list. */
export function entriesIn(list: unknown): ObjectEntry[] {
  const { kind, apiVersion, items } = fieldsIn(list);
  const own = { apiVersion: textIn(apiVersion), kind: textIn(kind).replace(/List$/, '') };
  return listIn(items).map((item) => entryIn({ ...own, ...fieldsIn(item) }));
}

export const versionIn = (document: unknown): string =>
  textIn(fieldsIn(fieldsIn(document)['metadata'])['resourceVersion']);

export const continueIn = (document: unknown): string => textIn(fieldsIn(fieldsIn(document)['metadata'])['continue']);
