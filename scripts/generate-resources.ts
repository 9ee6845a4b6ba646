// The served resources: names, scope, verbs and subresources from facts/discovery.json, columns from
// facts/columns.json.
import { readFileSync, writeFileSync } from 'node:fs';
import type { Docs } from './generate-docs.ts';

export function generateResources(root: string, docs: Docs): void {
  const read = (file: string) => JSON.parse(readFileSync(`${root}facts/${file}.json`, 'utf8'));
  const discovery = read('discovery');
  const columns: Record<string, any[]> = read('columns').columns;
  const descriptions: Record<string, Record<string, string>> = read('column-descriptions').descriptions;
  const out: object[] = [];
  for (const group of [...discovery.api.items, ...discovery.apis.items])
    for (const version of group.versions)
      for (const resource of version.resources) {
        const name: string = group.metadata.name ?? '';
        const path = `${name ? `/apis/${name}` : '/api'}/${version.version}/${resource.resource}`;
        const texts = descriptions[path] ?? {};
        out.push({
          ...resourceInfo(name, version.version, resource),
          columns: (columns[path] ?? []).map((column) => ({
            name: column.name,
            type: column.type,
            format: column.format,
            description: describe(texts[column.name] ?? defaults[column.name] ?? '', docs),
            priority: column.priority,
          })),
        });
      }
  writeFileSync(
    `${root}src/api/generated/resources.ts`,
    [
      '// Generated from facts/ by scripts/generate-resources.ts. Do not edit.',
      `export const resourcesText: string = ${JSON.stringify(JSON.stringify(out))};`,
      '',
    ].join('\n'),
  );
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const defaults: Record<string, string> = {
  Name: `@${meta}#name`,
  Age: `@${meta}#creationTimestamp`,
  'Created At': `@${meta}#creationTimestamp`,
};

/** `@type#field` refers to the documentation of that field; other text is literal. */
function describe(text: string, docs: Docs): string {
  const reference = text.match(/^@([^#]+)#(.+)$/);
  if (!reference) return text;
  // Machine-made lists of enum values are of OpenAPI, not of the type's documentation.
  return (docs[reference[1]]?.[reference[2]] ?? '').replace(/\n\nPossible enum values:[\s\S]*$/, '');
}

function resourceInfo(group: string, version: string, resource: any): object {
  const kind: string = resource.responseKind.kind;
  return {
    group,
    version,
    resource: resource.resource,
    singular: resource.singularResource,
    kind,
    listKind: `${kind}List`,
    namespaced: resource.scope === 'Namespaced',
    verbs: resource.verbs,
    shortNames: resource.shortNames ?? [],
    categories: resource.categories ?? [],
    subresources: (resource.subresources ?? []).map((sub: any) => ({
      name: sub.subresource,
      verbs: sub.verbs,
      kind: {
        group: sub.responseKind.group || (sub.responseKind.version ? '' : group),
        version: sub.responseKind.version || version,
        kind: sub.responseKind.kind,
      },
    })),
  };
}
