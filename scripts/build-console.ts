// Builds the page of the console into dist/console: scripts and styles with a hash in their names, compressed, and a
// manifest. Files of former builds stay for a day, for pages that are open.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** Kilobytes that the first page may take, compressed. */
const mostFirstLoad = 250;

export async function buildConsole(root: string): Promise<void> {
  const web = `${root}src/dashboard/web`;
  const outdir = `${root}dist/console`;
  const { outputFiles, metafile } = await build({
    entryPoints: [`${web}/main.tsx`, `${web}/feeds/worker.ts`, `${web}/styles/console.css`, `${web}/icon.svg`],
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: ['chrome115', 'firefox115', 'safari16.4'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    loader: { '.svg': 'copy' },
    minify: true,
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    assetNames: '[name]-[hash]',
    outdir,
    metafile: true,
    logLevel: 'warning',
    write: false,
  });
  mkdirSync(outdir, { recursive: true });
  const files = outputFiles.map(({ path: file }) => path.basename(file));
  for (const { path: file, contents } of outputFiles) writeCompressed(file, contents);
  const entry = (name: string) => files.find((file) => file.startsWith(name)) ?? '';
  const script = files.find((file) => /^main-.*\.js$/.test(file)) ?? '';
  const style = files.find((file) => /^console-.*\.css$/.test(file)) ?? '';
  const firstFiles = importedAtOnce(metafile, script, style);
  const manifest = {
    ...{ files, script, style },
    preload: firstFiles.filter((file) => file !== script && file !== style),
    worker: files.find((file) => /^worker-.*\.js$/.test(file)) ?? '',
    icon: entry('icon-'),
  };
  writeWhole(`${outdir}/manifest.json`, JSON.stringify(manifest));
  const first = firstFiles.reduce((sum, name) => sum + readFileSync(`${outdir}/${name}.br`).length, 0);
  if (first > mostFirstLoad * 1024)
    throw new Error(`the console's first load has ${Math.round(first / 1024)} kB: more than ${mostFirstLoad} kB`);
}

function writeCompressed(file: string, contents: Uint8Array): void {
  writeWhole(file, contents);
  const quality = {
    params: { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_SIZE_HINT]: contents.length },
  };
  writeWhole(`${file}.br`, brotliCompressSync(contents, quality));
  writeWhole(`${file}.gz`, gzipSync(contents, { level: 9 }));
}

function writeWhole(file: string, contents: string | Uint8Array): void {
  writeFileSync(`${file}.${process.pid}`, contents);
  renameSync(`${file}.${process.pid}`, file);
}

type Metafile = NonNullable<Awaited<ReturnType<typeof build>>['metafile']>;

/** The entries, and the chunks that they import at once. */
function importedAtOnce(metafile: Metafile, ...entries: readonly string[]): readonly string[] {
  const outputs = new Map(Object.entries(metafile.outputs).map(([file, output]) => [path.basename(file), output]));
  const loaded = new Set<string>();
  const load = (name: string) => {
    if (loaded.has(name)) return;
    loaded.add(name);
    for (const { path: file, kind } of outputs.get(name)?.imports ?? [])
      if (kind === 'import-statement') load(path.basename(file));
  };
  entries.forEach(load);
  return [...loaded];
}
