// Makes src/api/generated/ from facts/ (recorded from Kubernetes 1.36): run by the build, never committed.
import { mkdirSync } from 'node:fs';
import { generateDocs } from './generate-docs.ts';
import { generateInternal } from './generate-internal.ts';
import { generateResources } from './generate-resources.ts';
import { generateSchema } from './generate-schema.ts';
import { generateTypes } from './generate-types.ts';

/** Writes every generated file; `root` is the checkout, ending in a slash. */
export async function generate(root: string): Promise<void> {
  mkdirSync(`${root}src/api/generated`, { recursive: true });
  generateTypes(root);
  generateSchema(root);
  generateInternal(root);
  generateResources(root, generateDocs(root));
}

if (import.meta.main) await generate(new URL('..', import.meta.url).pathname);
