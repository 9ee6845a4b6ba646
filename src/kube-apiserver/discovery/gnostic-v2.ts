// The numbers of the fields of OpenAPI 2 documents.

import { fieldsIn } from '../../machinery/parsed.ts';
import type { Field, Message } from './gnostic.ts';
import { extensions, flag, real, text, texts, whole } from './gnostic-fields.ts';

const mapOf = (kind: Message): Message => ({ fields: {}, entries: { number: 1, kind, of: 'all' } });
const place = (number: number, kind: Message): Message => ({ fields: {}, wrap: () => ({ number, kind }) });

const typeItem: Message = { fields: {}, wrap: () => texts(1) };
const fields: Record<string, Field> = {};
export const schemaMessage: Message = { fields, entries: extensions(31) };
const itemsItem: Message = { fields: {}, wrap: () => ({ number: 1, kind: schemaMessage, isList: true }) };
const additional: Message = {
  fields: {},
  wrap: (value) => (typeof value === 'boolean' ? flag(2) : { number: 1, kind: schemaMessage }),
};
Object.assign(fields, {
  $ref: text(1),
  format: text(2),
  title: text(3),
  description: text(4),
  default: { number: 5, kind: 'any' },
  multipleOf: real(6),
  maximum: real(7),
  exclusiveMaximum: flag(8),
  minimum: real(9),
  exclusiveMinimum: flag(10),
  maxLength: whole(11),
  minLength: whole(12),
  pattern: text(13),
  maxItems: whole(14),
  minItems: whole(15),
  uniqueItems: flag(16),
  maxProperties: whole(17),
  minProperties: whole(18),
  required: texts(19),
  enum: { number: 20, kind: 'any', isList: true },
  additionalProperties: { number: 21, kind: additional },
  type: { number: 22, kind: typeItem },
  items: { number: 23, kind: itemsItem },
  allOf: { number: 24, kind: schemaMessage, isList: true },
  properties: { number: 25, kind: mapOf(schemaMessage) },
  example: { number: 30, kind: 'any' },
});

const bodyParameter: Message = {
  fields: {
    description: text(1),
    name: text(2),
    in: text(3),
    required: flag(4),
    schema: { number: 5, kind: schemaMessage },
  },
};
const queryParameter: Message = {
  fields: {
    required: flag(1),
    in: text(2),
    description: text(3),
    name: text(4),
    type: text(6),
    format: text(7),
    uniqueItems: flag(20),
  },
};
const pathParameter: Message = {
  fields: {
    required: flag(1),
    in: text(2),
    description: text(3),
    name: text(4),
    type: text(5),
    format: text(6),
    uniqueItems: flag(19),
  },
};
const nonBody: Message = {
  fields: {},
  wrap: (value) =>
    fieldsIn(value)['in'] === 'path' ? { number: 4, kind: pathParameter } : { number: 3, kind: queryParameter },
};
export const parameterMessage: Message = {
  fields: {},
  wrap: (value) =>
    fieldsIn(value)['in'] === 'body' ? { number: 1, kind: bodyParameter } : { number: 2, kind: nonBody },
};
const jsonReference: Message = { fields: { $ref: text(1), description: text(2) } };
const parametersItem: Message = {
  fields: {},
  wrap: (value) =>
    fieldsIn(value)['$ref'] ? { number: 2, kind: jsonReference } : { number: 1, kind: parameterMessage },
};
const parameters = (number: number) => ({ number, kind: parametersItem, isList: true }) as const;

const response: Message = {
  fields: { description: text(1), schema: { number: 2, kind: place(1, schemaMessage) } },
  entries: extensions(5),
};
const operation: Message = {
  fields: {
    tags: texts(1),
    summary: text(2),
    description: text(3),
    operationId: text(5),
    produces: texts(6),
    consumes: texts(7),
    parameters: parameters(8),
    responses: { number: 9, kind: mapOf(place(1, response)) },
    schemes: texts(10),
  },
  entries: extensions(13),
};
export const pathItemMessage: Message = {
  fields: {
    get: { number: 2, kind: operation },
    put: { number: 3, kind: operation },
    post: { number: 4, kind: operation },
    delete: { number: 5, kind: operation },
    options: { number: 6, kind: operation },
    head: { number: 7, kind: operation },
    patch: { number: 8, kind: operation },
    parameters: parameters(9),
  },
};

const stringArray: Message = { fields: {}, wrap: () => texts(1) };
const apiKey: Message = { fields: { type: text(1), name: text(2), in: text(3), description: text(4) } };

/** All but paths (8), definitions (9) and parameters (10), which are written one by one. */
export const documentMessage: Message = {
  fields: {
    swagger: text(1),
    info: { number: 2, kind: { fields: { title: text(1), version: text(2) } } },
    security: { number: 12, kind: mapOf(stringArray), isList: true },
    securityDefinitions: { number: 13, kind: mapOf(place(2, apiKey)) },
  },
};
