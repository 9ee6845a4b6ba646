// Operations as each version of OpenAPI writes them.

import { createHash } from 'node:crypto';
import type { Documentation } from '../../api/api.ts';
import { type OpenApiVersion, reference } from './openapi-schema.ts';
import type { Operation, PathItem } from './operations.ts';
import type { Parameter } from './parameters.ts';

/** Shared parameters of version 2, defined once in the document. */
export type SharedParameters = Record<string, object>;

/** These differ from one operation to the next, or are short: Kubernetes writes them where they are used. */
const unshared = ['dryRun', 'fieldValidation', 'name'];

/** Parameters common to all operations of a path are at the path. */
export function pathItem(
  { operations }: PathItem,
  version: OpenApiVersion,
  docs: Documentation,
  shared: SharedParameters,
): object {
  const write = (parameter: Parameter) => parameterOf(parameter, version, docs, shared);
  const byName = (a: Parameter, b: Parameter) => (a.name < b.name ? -1 : 1);
  const lists = operations.map((operation) => [...operation.parameters].sort(byName).map(write));
  const texts = lists.map((list) => new Set(list.map((one) => JSON.stringify(one))));
  const isCommon = (text: string) => texts.every((set) => set.has(text));
  const common = lists[0]?.filter((one) => isCommon(JSON.stringify(one))) ?? [];
  const item: Record<string, object> = {};
  for (const [index, operation] of operations.entries()) {
    const own = lists[index].filter((one) => !isCommon(JSON.stringify(one)));
    item[operation.method] = version === 2 ? operation2(operation, own, shared) : operation3(operation, own);
  }
  return { ...item, ...(common.length && { parameters: common }) };
}

function parameterOf(
  { name, in: where, type, options, text }: Parameter,
  version: OpenApiVersion,
  docs: Documentation,
  shared: SharedParameters,
): object {
  const description = text ?? docs[`#${options}`]?.[name];
  const own = { ...(description && { description }), in: where, name, ...(where === 'path' && { required: true }) };
  if (version === 3) return { ...own, schema: { type, uniqueItems: true } };
  return share({ ...own, type, uniqueItems: true }, name, shared);
}

function share(parameter: object, name: string, shared: SharedParameters): object {
  if (unshared.includes(name)) return parameter;
  const hash = createHash('sha256').update(JSON.stringify(parameter)).digest('base64url').slice(0, 8);
  shared[`${name}-${hash}`] = parameter;
  return { $ref: `#/parameters/${name}-${hash}` };
}

const texts: Readonly<Record<string, string>> = { 200: 'OK', 201: 'Created', 202: 'Accepted' };
const unauthorized = { 401: { description: 'Unauthorized' } };

const schemaOf = (type: string, version: OpenApiVersion) =>
  type === 'string' ? { type: 'string' } : reference(type, version);

const common = ({ id, description, tags, action, gvk }: Operation) => ({
  description,
  operationId: id,
  tags,
  ...(action && { 'x-kubernetes-action': action }),
  ...(gvk && { 'x-kubernetes-group-version-kind': gvk }),
});

function operation2(operation: Operation, parameters: readonly object[], shared: SharedParameters): object {
  const { consumes, produces, body, answers } = operation;
  const own = body && {
    in: 'body',
    name: 'body',
    ...(body.required && { required: true }),
    schema: reference(body.type, 2),
  };
  const isShared = body && /\.(Patch|DeleteOptions)$/.test(body.type);
  const all = own ? [isShared ? share(own, 'body', shared) : own, ...parameters] : parameters;
  const responses = Object.entries(answers).map(([code, type]) => [
    code,
    { description: texts[code], schema: schemaOf(type, 2) },
  ]);
  return {
    ...common(operation),
    ...(consumes && { consumes }),
    produces,
    schemes: ['https'],
    ...(all.length && { parameters: all }),
    responses: { ...Object.fromEntries(responses), ...unauthorized },
  };
}

function operation3(operation: Operation, parameters: readonly object[]): object {
  const { consumes = [], produces, body, answers } = operation;
  const content = (types: readonly string[], type: string) =>
    Object.fromEntries(types.map((mediaType) => [mediaType, { schema: schemaOf(type, 3) }]));
  const responses = Object.entries(answers).map(([code, type]) => [
    code,
    { description: texts[code], content: content(produces, type) },
  ]);
  return {
    ...common(operation),
    ...(parameters.length && { parameters }),
    ...(body && { requestBody: { content: content(consumes, body.type), ...(body.required && { required: true }) } }),
    responses: { ...Object.fromEntries(responses), ...unauthorized },
  };
}
