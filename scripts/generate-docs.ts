// The documentation of types and fields, read from the npm package kubernetes-models: for `kubectl explain` and for the
// descriptions of table columns.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/** Type -> field -> text; the type's own text is under the empty name. */
export type Docs = Record<string, Record<string, string>>;

export function generateDocs(root: string): Docs {
  const names = Object.keys(JSON.parse(readFileSync(`${root}facts/openapi.json`, 'utf8')).schemas);
  const docs: Docs = {};
  for (const name of names) {
    const file = declarationFile(`${root}node_modules/`, name);
    if (file) docs[name] = readDocs(readFileSync(file, 'utf8'));
  }
  writeFileSync(
    `${root}src/api/generated/docs.ts`,
    [
      '// Generated from the package kubernetes-models by scripts/generate-docs.ts. Do not edit.',
      `export const docsText: string = ${JSON.stringify(JSON.stringify(docs))};`,
      '',
    ].join('\n'),
  );
  return docs;
}

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

/** Comments before the first interface and before each of its own (four spaces deep) properties. */
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
    .trim();
