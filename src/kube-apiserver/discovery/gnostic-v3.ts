// The numbers of the fields of OpenAPI 3 documents.

import { fieldsIn } from '../../machinery/parsed.ts';
import type { Field, Message } from './gnostic.ts';
import { extensions, flag, real, text, texts, whole } from './gnostic-fields.ts';

const mapOf = (kind: Message, number = 1): Message => ({ fields: {}, entries: { number, kind, of: 'all' } });

const referenceMessage: Message = { fields: { $ref: text(1), description: text(3) } };
/** The message itself, or a reference to it. */
const orReference = (kind: Message): Message => ({
  fields: {},
  wrap: (value) => (fieldsIn(value)['$ref'] ? { number: 2, kind: referenceMessage } : { number: 1, kind }),
});

const fields: Record<string, Field> = {};
const schema: Message = { fields, entries: extensions(36) };
const schemaMessage = orReference(schema);
const itemsItem: Message = { fields: {}, wrap: () => ({ number: 1, kind: schemaMessage, isList: true }) };
const additional: Message = {
  fields: {},
  wrap: (value) => (typeof value === 'boolean' ? flag(2) : { number: 1, kind: schemaMessage }),
};
/** Other defaults have no form. */
const defaultType: Message = {
  fields: {},
  wrap: (value) =>
    typeof value === 'number'
      ? real(1)
      : typeof value === 'boolean'
        ? flag(2)
        : typeof value === 'string'
          ? text(3)
          : undefined,
};
Object.assign(fields, {
  nullable: flag(1),
  example: { number: 7, kind: 'any' },
  title: text(9),
  multipleOf: real(10),
  maximum: real(11),
  exclusiveMaximum: flag(12),
  minimum: real(13),
  exclusiveMinimum: flag(14),
  maxLength: whole(15),
  minLength: whole(16),
  pattern: text(17),
  maxItems: whole(18),
  minItems: whole(19),
  uniqueItems: flag(20),
  maxProperties: whole(21),
  minProperties: whole(22),
  required: texts(23),
  enum: { number: 24, kind: 'any', isList: true },
  type: text(25),
  allOf: { number: 26, kind: schemaMessage, isList: true },
  oneOf: { number: 27, kind: schemaMessage, isList: true },
  anyOf: { number: 28, kind: schemaMessage, isList: true },
  not: { number: 29, kind: schema },
  items: { number: 30, kind: itemsItem },
  properties: { number: 31, kind: mapOf(schemaMessage) },
  additionalProperties: { number: 32, kind: additional },
  default: { number: 33, kind: defaultType },
  description: text(34),
  format: text(35),
});

const mediaTypes = mapOf({ fields: { schema: { number: 1, kind: schemaMessage } } });
const parameter: Message = {
  fields: {
    name: text(1),
    in: text(2),
    description: text(3),
    required: flag(4),
    schema: { number: 10, kind: schemaMessage },
  },
};
const parameters = (number: number) => ({ number, kind: orReference(parameter), isList: true }) as const;
const requestBody: Message = {
  fields: { description: text(1), content: { number: 2, kind: mediaTypes }, required: flag(3) },
};
const response: Message = { fields: { description: text(1), content: { number: 3, kind: mediaTypes } } };
const operation: Message = {
  fields: {
    tags: texts(1),
    description: text(3),
    operationId: text(5),
    parameters: parameters(6),
    requestBody: { number: 7, kind: orReference(requestBody) },
    responses: { number: 8, kind: mapOf(orReference(response), 2) },
  },
  entries: extensions(13),
};
const pathItem: Message = {
  fields: {
    get: { number: 4, kind: operation },
    put: { number: 5, kind: operation },
    post: { number: 6, kind: operation },
    delete: { number: 7, kind: operation },
    options: { number: 8, kind: operation },
    head: { number: 9, kind: operation },
    patch: { number: 10, kind: operation },
    parameters: parameters(13),
  },
};
const securityScheme: Message = { fields: { type: text(1), description: text(2), name: text(3), in: text(4) } };

export const documentMessage: Message = {
  fields: {
    openapi: text(1),
    info: { number: 2, kind: { fields: { title: text(1), version: text(6) } } },
    paths: { number: 4, kind: mapOf(pathItem) },
    components: {
      number: 5,
      kind: {
        fields: {
          schemas: { number: 1, kind: mapOf(schemaMessage) },
          securitySchemes: { number: 7, kind: mapOf(orReference(securityScheme)) },
        },
      },
    },
  },
};
