// The documentation of types and fields, read from the npm package kubernetes-models: for `kubectl explain` and for the
// descriptions of table columns.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { readOperationDocs } from './generate-operation-docs.ts';

/** Type -> field -> text; the empty name has the type's text. */
export type Docs = Record<string, Record<string, string>>;

export function generateDocs(root: string): Docs {
  const { schemas } = JSON.parse(readFileSync(`${root}facts/openapi.json`, 'utf8'));
  const docs: Docs = {};
  for (const name of Object.keys(schemas)) {
    const file = declarationFile(`${root}node_modules/`, name);
    const own = file ? readDocs(readFileSync(file, 'utf8')) : {};
    const { apiVersion, kind } = schemas[name].properties ?? {};
    docs[name] = apiVersion && kind ? { ...typeMeta, ...own } : own;
  }
  Object.assign(docs, readOperationDocs(root));
  writeFileSync(
    `${root}src/api/generated/docs.ts`,
    [
      '// Generated from the packages kubernetes-models and @kubernetes/client-node by scripts/generate-docs.ts. Do not edit.',
      `export const docsText: string = ${JSON.stringify(JSON.stringify(docs))};`,
      '',
    ].join('\n'),
  );
  return docs;
}

/** The package leaves these out. */
const conventions = 'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md';
const typeMeta = {
  apiVersion: `APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: ${conventions}#resources`,
  kind: `Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: ${conventions}#types-kinds`,
};

function declarationFile(modules: string, name: string): string | undefined {
  const parts = name.split('.');
  const [kind, version, group] = [parts.at(-1), parts.at(-2), parts.at(-3)!];
  const folders = name.startsWith('io.k8s.apimachinery.')
    ? [`@kubernetes-models/apimachinery/${parts.slice(4, -1).join('/')}`]
    : ['', '.k8s.io', '.authorization.k8s.io', '.apiserver.k8s.io'].map((suffix) =>
        group === 'core' ? `kubernetes-models/${version}` : `kubernetes-models/${group}${suffix}/${version}`,
      );
  return folders.map((folder) => `${modules}${folder}/${kind}.d.ts`).find((file) => existsSync(file));
}

/** Comments before the first interface and before each of its direct (four spaces deep) properties. */
function readDocs(text: string): Record<string, string> {
  const docs: Record<string, string> = {};
  const start = text.search(/^export (interface|type|declare)/m);
  const head = text.slice(0, start).match(/\/\*\*\n((?: \*.*\n)+) \*\/\n$/);
  if (head) docs[''] = clean(head[1]);
  const end = text.indexOf('\n}\n', start);
  const body = text.slice(start, end);
  for (const match of body.matchAll(/^ {4}\/\*\*\n((?: {5}\*.*\n)+?) {5}\*\/\n {4}"?([\w$-]+)"?\??:/gm))
    docs[match[2]] = clean(match[1]);
  return docs;
}

const clean = (comment: string) =>
  comment
    .split('\n')
    .map((line) => line.replace(/^ +\* ?/, ''))
    .join('\n')
    // The package escapes characters that would end or mark up its comments.
    .replaceAll('\\*', '*')
    .replaceAll('*\\/', '*/')
    .trim();
