// The protobuf numbers of aggregated discovery, which no published schema has.
// https://github.com/kubernetes/api/blob/master/apidiscovery/v2/generated.proto

import { type Schema, schemaNamed } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';

const message = (...fields: [name: string, schema: Schema][]): Schema => ({
  type: 'object',
  properties: Object.fromEntries(
    fields.map(([name, schema], index) => [name, { ...schema, protobuf: String(index + 1) }]),
  ),
});
const text: Schema = { type: 'string' };
const list = (items: Schema): Schema => ({ type: 'array', items });
const meta = (name: string) => must(schemaNamed(`io.k8s.apimachinery.pkg.apis.meta.v1.${name}`), name);

const groupVersionKind = message(['group', text], ['version', text], ['kind', text]);

const subresource = message(
  ['subresource', text],
  ['responseKind', groupVersionKind],
  ['acceptedTypes', list(groupVersionKind)],
  ['verbs', list(text)],
);

const resource = message(
  ['resource', text],
  ['responseKind', groupVersionKind],
  ['scope', text],
  ['singularResource', text],
  ['verbs', list(text)],
  ['shortNames', list(text)],
  ['categories', list(text)],
  ['subresources', list(subresource)],
);

const version = message(['version', text], ['resources', list(resource)], ['freshness', text]);
const group = message(['metadata', meta('ObjectMeta')], ['versions', list(version)]);

export const discoveryListSchema = message(['metadata', meta('ListMeta')], ['items', list(group)]);
