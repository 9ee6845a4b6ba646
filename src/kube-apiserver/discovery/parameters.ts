// The parameters of operations. Their texts are part of the documentation, under the name of the options.

import type { OptionField, SubresourceOptions } from '../../api/api.ts';

export interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'path';
  readonly type: 'string' | 'integer' | 'boolean';
  /** Where the documentation has the text, or the text itself. */
  readonly options?: string;
  readonly text?: string;
}

type Types = Readonly<Record<string, Parameter['type']>>;

const list: Types = {
  allowWatchBookmarks: 'boolean',
  continue: 'string',
  fieldSelector: 'string',
  labelSelector: 'string',
  limit: 'integer',
  resourceVersion: 'string',
  resourceVersionMatch: 'string',
  sendInitialEvents: 'boolean',
  shardSelector: 'string',
  timeoutSeconds: 'integer',
  watch: 'boolean',
};
const write: Types = { dryRun: 'string', fieldManager: 'string', fieldValidation: 'string' };
const deletion: Types = {
  dryRun: 'string',
  gracePeriodSeconds: 'integer',
  ignoreStoreReadErrorWithClusterBreakingPotential: 'boolean',
  orphanDependents: 'boolean',
  propagationPolicy: 'string',
};
type Options = 'list' | 'write' | 'patch' | 'delete' | 'deletecollection' | 'none';

const query = (types: Types, options: string): Parameter[] =>
  Object.entries(types).map(([name, type]) => ({ name, in: 'query', type, options }));

const pretty = query({ pretty: 'string' }, 'list');

/** A custom resource's collection is deleted with the options of its list. */
export function parametersOf(options: Options, custom: boolean): Parameter[] {
  switch (options) {
    case 'none':
      return pretty;
    case 'list':
      return [...query(list, 'list'), ...pretty];
    case 'write':
      return [...query(write, 'write'), ...pretty];
    case 'patch':
      return [...query({ ...write, force: 'boolean' }, 'patch'), ...pretty];
    case 'delete':
      return [...query(deletion, 'delete'), ...pretty];
    case 'deletecollection': {
      if (custom) return [...query(list, 'list'), ...pretty];
      const { allowWatchBookmarks: _, watch: __, ...rest } = list;
      return [...query(rest, 'list'), ...query(deletion, 'delete'), ...pretty].sort((a, b) =>
        a.name < b.name ? -1 : 1,
      );
    }
  }
}

const typeOf: Readonly<Record<OptionField, Parameter['type']>> = {
  flag: 'boolean',
  text: 'string',
  texts: 'string',
  number: 'integer',
  ports: 'integer',
  path: 'string',
};

/** The parameters of a connection, or of a subresource that answers with a text. */
export const optionParameters = ({ type, fields }: SubresourceOptions): Parameter[] =>
  query(
    Object.fromEntries(
      Object.keys(fields)
        .sort()
        .map((name) => [name, typeOf[fields[name]]]),
    ),
    type,
  );

/** Parameters in the path. */
export function pathParameters(path: string, kind: string): Parameter[] {
  const texts: Readonly<Record<string, string>> = {
    name: `name of the ${kind}`,
    namespace: 'object name and auth scope, such as for teams and projects',
    path: 'path to the resource',
  };
  return Object.keys(texts)
    .filter((name) => path.includes(`{${name}}`))
    .map((name) => ({ name, in: 'path', type: 'string', text: texts[name] }));
}
