// Makes dist/coracle.js: generates code from facts/ and bundles the sources, for a fast program start. Builds may run
// concurrently, and running clusters load chunks of older builds: so builds take a lock, and each file is written
// atomically, coracle.js last.

import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BuildOptions, build, type OutputFile, type Plugin } from 'esbuild';
import { buildConsole } from './build-console.ts';
import { generate } from './generate.ts';

const root = new URL('..', import.meta.url).pathname;
const lock = `${root}dist/.building`;
mkdirSync(`${root}dist`, { recursive: true });
writeFileSync(`${lock}.${process.pid}`, String(process.pid));
while (!takeLock()) await sleep(50);
process.on('exit', () => rmSync(lock, { force: true }));
await generate(root);
/** An import of node:http reads every property of it, and one of them loads all of fetch: it comes by require instead. */
const httpWithoutFetch: Plugin = {
  name: 'node:http without fetch',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      // A dynamic import of the required module would have a default export alone.
      kind === 'dynamic-import' ? { path: 'node:http', external: true } : { path: 'http', namespace: 'required' },
    );
    onLoad({ filter: /.*/, namespace: 'required' }, () => ({
      contents: "module.exports = process.getBuiltinModule('node:http');",
    }));
  },
};
const shared = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  mainFields: ['module', 'main'],
  target: 'node24',
  sourcemap: 'linked',
  sourcesContent: false,
  // Native addons and packages that load files beside themselves stay outside the bundle.
  external: ['lmdb'],
  plugins: [httpWithoutFetch],
  banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
  logLevel: 'warning',
  write: false,
} satisfies BuildOptions;
const program = await build({
  ...shared,
  // The programs of `coracle envtest` beside the command line.
  entryPoints: Object.entries({
    coracle: 'main',
    'kube-apiserver': 'kube-apiserver-program',
    etcd: 'etcd-program',
  }).map(([out, name]) => ({ in: `${root}src/cli/${name}.ts`, out })),
  outdir: `${root}dist`,
  // Commands are loaded on demand: `status` does not load a container runtime.
  splitting: true,
});
// The log process of native containers, one per node: a separate bundle halves its memory.
const shim = await build({
  ...shared,
  entryPoints: [`${root}src/container-runtime/native/shim/shim.ts`],
  outfile: `${root}dist/container-shim.js`,
});

/**
 * Static pods need the rules of the API's kinds, twice the code of a node. In one build esbuild would give them to all
 * nodes, because both use the front door of `api`.
 */
const staticPods = await build({
  ...shared,
  entryPoints: [`${root}src/kubelet/static-pods/static-pods.ts`],
  outfile: `${root}dist/static-pods.js`,
});
const staticPodsOnDemand: Plugin = {
  name: 'static pods on demand',
  setup({ onResolve }) {
    onResolve({ filter: /\/static-pods\.ts$/ }, () => ({ path: './static-pods.js', external: true }));
  },
};
// The nodes' process does not use the API server: a separate bundle omits it.
const nodes = await build({
  ...shared,
  entryPoints: [`${root}src/cli/nodes-program.ts`],
  entryNames: 'nodes',
  plugins: [httpWithoutFetch, staticPodsOnDemand],
  outdir: `${root}dist`,
  splitting: true,
});

// The programs of threads, beside the program that starts them.
const threads = await build({
  ...shared,
  entryPoints: ['parse-worker', 'object-worker'].map((name) => `${root}src/kube-apiserver/threads/${name}.ts`),
  outdir: `${root}dist`,
});

await buildConsole(root);

const isEntry = ({ path: file }: OutputFile) => path.basename(file) === 'coracle.js';
const files = [shim, threads, staticPods, nodes, program].flatMap(({ outputFiles }) => outputFiles);
for (const file of files.sort((a, b) => Number(isEntry(a)) - Number(isEntry(b)))) {
  writeFileSync(`${file.path}.${process.pid}`, inAscii(file.text));
  renameSync(`${file.path}.${process.pid}`, file.path);
}

/** esbuild escapes texts, but not regular expressions. One character beyond Latin-1 doubles the memory of a file. */
function inAscii(text: string): string {
  return text.replaceAll(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Creating a link with its content is atomic; a link of a killed build is removed. */
function takeLock(): boolean {
  try {
    linkSync(`${lock}.${process.pid}`, lock);
    rmSync(`${lock}.${process.pid}`);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  try {
    process.kill(Number(readFileSync(lock, 'utf8')), 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') rmSync(lock, { force: true });
  }
  return false;
}

// The compile cache of former builds is stale.
await rm(`${root}.cache/compile`, { recursive: true, force: true });

/** Chunks of former builds: clusters that still run may load them, those of a day ago hardly. */
const staleMs = 24 * 3_600_000;
for (const directory of [`${root}dist`, `${root}dist/console`])
  for (const name of await readdir(directory)) {
    const file = `${directory}/${name}`;
    const stats = await stat(file);
    if (stats.isFile() && Date.now() - stats.mtimeMs > staleMs) await rm(file, { force: true });
  }
