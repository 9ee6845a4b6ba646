// Published schemas of custom resources: the definition's, with the fields of every object. Version 2 has no
// alternatives and no nulls, and kubectl accepts any value in a field without a type.

import type { JSONSchemaProps, Kind } from '../../api/api.ts';
import { finish, finishInTurns, type Steps } from '../../machinery/time/steps.ts';
import { type OpenApiVersion, reference } from './openapi-schema.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const x = (name: string) => `x-kubernetes-${name}`;

/** Fields of every object, as built-in kinds describe them. */
const typeFields = {
  apiVersion: {
    type: 'string',
    description:
      'APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources',
  },
  kind: {
    type: 'string',
    description:
      'Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds',
  },
};
const embeddedFields = {
  apiVersion: {
    type: 'string',
    description:
      'apiVersion defines the versioned schema of this representation of an object. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources',
  },
  kind: {
    type: 'string',
    description:
      'kind is a string value representing the type of this object. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds',
  },
};
const metadataText =
  "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
const listMetadataText =
  'Standard list metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds';

const described = (type: string, version: OpenApiVersion, description: string) =>
  version === 2
    ? { description, ...reference(`${meta}.${type}`, version) }
    : { description, allOf: [reference(`${meta}.${type}`, version)] };

const extensionsOf = ({ selectableFields }: Kind, types: object[]) => ({
  [x('group-version-kind')]: types,
  ...(Object.keys(selectableFields).length && {
    [x('selectable-fields')]: Object.keys(selectableFields).map((fieldPath) => ({ fieldPath })),
  }),
});

export function publishedSchema(kind: Kind, version: OpenApiVersion): object {
  const { group } = kind;
  const openApi = kind.openApi as JSONSchemaProps | undefined;
  const extensions = extensionsOf(kind, [{ group, kind: kind.kind, version: kind.version }]);
  const keepsAll = version === 2 && openApi?.['x-kubernetes-preserve-unknown-fields'];
  if (!openApi || keepsAll) return { type: 'object', ...extensions };
  const own = takePrepared(kind, version) ?? finish(publishing(openApi, version));
  const metadata = described('ObjectMeta', version, metadataText);
  // It is fresh, and may be long.
  own.properties = Object.assign(own.properties ?? {}, typeFields, { metadata });
  return Object.assign(own, extensions);
}

export function publishedList(kind: Kind, itemName: string, version: OpenApiVersion): object {
  const { group, listKind, resource } = kind;
  const description = `List of ${resource}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md`;
  return {
    description: `${listKind} is a list of ${kind.kind}`,
    type: 'object',
    required: ['items'],
    properties: {
      ...typeFields,
      items: { description, type: 'array', items: reference(itemName, version) },
      metadata: described('ListMeta', version, listMetadataText),
    },
    ...extensionsOf(kind, [{ group, kind: listKind, version: kind.version }]),
  };
}

const prepared = new WeakMap<Kind, Map<OpenApiVersion, JSONSchemaProps>>();

/** Does the longest part of publishedSchema beforehand, in turns: a definition may have tens of thousands of fields. */
export async function preparePublished(kind: Kind, version: OpenApiVersion): Promise<void> {
  if (!kind.openApi) return;
  const schema = await finishInTurns(publishing(kind.openApi as JSONSchemaProps, version));
  prepared.set(kind, (prepared.get(kind) ?? new Map()).set(version, schema));
}

/** It is needed once. */
function takePrepared(kind: Kind, version: OpenApiVersion): JSONSchemaProps | undefined {
  const schema = prepared.get(kind)?.get(version);
  prepared.get(kind)?.delete(version);
  return schema;
}

const fieldsInStep = 1_000;

function* publishing(source: JSONSchemaProps, version: OpenApiVersion): Steps<JSONSchemaProps> {
  const out = { ...source };
  if (version === 2) withoutAlternatives(out);
  else unfold(out);
  if (out.properties) {
    const properties: Record<string, JSONSchemaProps> = Object.create(null);
    let count = 0;
    for (const name of Object.keys(out.properties)) {
      properties[name] = yield* publishing(out.properties[name], version);
      if (++count % fieldsInStep === 0) yield;
    }
    out.properties = properties;
  }
  if (out.items) out.items = yield* publishing(out.items as JSONSchemaProps, version);
  if (typeof out.additionalProperties === 'object')
    out.additionalProperties = yield* publishing(out.additionalProperties, version);
  if (out['x-kubernetes-embedded-resource'] && !(version === 2 && out['x-kubernetes-preserve-unknown-fields'])) {
    out.properties = { ...out.properties, ...embeddedFields, metadata: described('ObjectMeta', version, metadataText) };
    out.required = [...new Set([...(out.required ?? []), 'kind', 'apiVersion'])];
  }
  return out;
}

const either = [{ type: 'integer' }, { type: 'string' }];
const isEither = (list: unknown) => JSON.stringify(list) === JSON.stringify(either);

/** Spells int-or-string out where the definition does not. */
function unfold(out: JSONSchemaProps): void {
  if (!out['x-kubernetes-int-or-string'] || isEither(out.anyOf) || isEither(out.allOf?.[0]?.anyOf)) return;
  if (out.anyOf) out.allOf = [{ anyOf: either }, ...(out.allOf ?? [])];
  else out.anyOf = either;
}

function withoutAlternatives(out: JSONSchemaProps): void {
  for (const field of ['allOf', 'oneOf', 'anyOf', 'not'] as const) delete out[field];
  const keeps = out['x-kubernetes-preserve-unknown-fields'];
  if (out.nullable) delete out.type;
  if (out.nullable || keeps) {
    delete out.items;
    delete out.properties;
  }
  delete out.nullable;
  if ((!out.items && out.type === 'array') || (keeps && out.type === 'object')) delete out.type;
  const nullable = (part: JSONSchemaProps | boolean | undefined) => typeof part === 'object' && part.nullable === true;
  const { properties } = out;
  if (out.required && properties) out.required = out.required.filter((name) => !nullable(properties[name]));
  if (nullable(out.additionalProperties) || !out.required?.length) delete out.required;
}
