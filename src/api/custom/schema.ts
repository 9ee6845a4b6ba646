// From the schema of a CustomResourceDefinition to the schema that everything here works with.

import type { Constraints, Schema } from '../../machinery/schema.ts';
import { schemaNamed } from '../schemas.ts';

const limits = [
  'minimum',
  'exclusiveMinimum',
  'maximum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'pattern',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
] as const;

const defined = <T extends object>(object: T): T =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;

const sorted = <T>(map: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));

/** The whole object: what the definition says, and what every object has. */
export function rootSchema(openApi: any): Schema {
  const schema = convert(openApi ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true });
  return { ...schema, custom: true, properties: sorted({ ...schema.properties, ...typeMeta() }) };
}

/** Fields of custom resources are written in the order of their names, those of metadata too. */
export const metadataSchema = (): Schema => {
  const schema = schemaNamed('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
  return { ...schema, properties: sorted(schema.properties ?? {}) };
};

const typeMeta = (): Record<string, Schema> => ({
  apiVersion: { type: 'string' },
  kind: { type: 'string' },
  metadata: metadataSchema(),
});

function convert(source: any): Schema {
  const x = (name: string) => source[`x-kubernetes-${name}`];
  const parts = (list: any[] | undefined) => list?.map(convert);
  const constraints: Constraints = defined({
    ...(Object.fromEntries(limits.map((name) => [name, source[name]])) as Constraints),
    allOf: parts(source.allOf),
    anyOf: parts(source.anyOf),
    oneOf: parts(source.oneOf),
    not: source.not && convert(source.not),
  });
  const { additionalProperties } = source;
  return defined({
    type: source.type,
    format: source.format,
    description: source.description,
    properties:
      source.properties &&
      sorted(Object.fromEntries(Object.entries(source.properties).map(([name, part]) => [name, convert(part)]))),
    required: source.required,
    items: source.items && convert(source.items),
    additionalProperties:
      typeof additionalProperties === 'object' && additionalProperties
        ? convert(additionalProperties)
        : additionalProperties,
    enum: source.enum,
    default: source.default,
    nullable: source.nullable,
    intOrString: x('int-or-string'),
    preserveUnknownFields: x('preserve-unknown-fields'),
    embeddedResource: x('embedded-resource'),
    listType: x('list-type'),
    listMapKeys: x('list-map-keys'),
    mapType: x('map-type'),
    rules: x('validations'),
    constraints: Object.keys(constraints).length ? constraints : undefined,
  }) as Schema;
}
