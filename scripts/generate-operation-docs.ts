// The documentation of query parameters, read from the npm package @kubernetes/client-node: for the OpenAPI documents.
import { readFileSync } from 'node:fs';
import type { Docs } from './generate-docs.ts';

/** Documentation of an operation or its options -> the client method with the same text. */
const methods: Readonly<Record<string, string>> = {
  list: 'listNamespacedPod',
  write: 'createNamespacedPod',
  patch: 'patchNamespacedPod',
  delete: 'deleteNamespacedPod',
  PodExecOptions: 'connectPostNamespacedPodExec',
  PodAttachOptions: 'connectPostNamespacedPodAttach',
  PodPortForwardOptions: 'connectPostNamespacedPodPortforward',
  PodProxyOptions: 'connectGetNamespacedPodProxy',
  NodeProxyOptions: 'connectGetNodeProxy',
  ServiceProxyOptions: 'connectGetNamespacedServiceProxy',
  PodLogOptions: 'readNamespacedPodLog',
};

/** "#list" and the like -> name of a parameter -> text. */
export function readOperationDocs(root: string): Docs {
  const file = `${root}node_modules/@kubernetes/client-node/dist/gen/apis/CoreV1Api.d.ts`;
  const text = readFileSync(file, 'utf8');
  return Object.fromEntries(
    Object.entries(methods).map(([name, method]) => {
      const end = text.search(new RegExp(`^ +${method}\\(`, 'm'));
      if (end < 0) throw new Error(`${file} has no method ${method}`);
      const comment = text.slice(text.lastIndexOf('/**', end), end);
      const entries = [...comment.matchAll(/@param (\w+) (.*)$/gm)].map(([, parameter, doc]) => [
        parameter.replace(/^_/, ''),
        unescaped(doc),
      ]);
      return [`#${name}`, Object.fromEntries(entries)];
    }),
  );
}

const entities: Readonly<Record<string, string>> = { quot: '"', amp: '&', lt: '<', gt: '>' };

/** Two spaces represent the empty line between paragraphs. */
const unescaped = (text: string) =>
  text
    .trim()
    .replace(/\\?&#x([0-9A-F]+);|\\?&#(\d+);|\\?&(quot|amp|lt|gt);/g, (_, hex, decimal, name) =>
      name ? entities[name] : String.fromCodePoint(hex ? Number.parseInt(hex, 16) : Number(decimal)),
    )
    .replace(/(?<=[.:]) {2}(?=\S)/g, '\n\n');
