// Makes dist/coracle.js: generates what comes from facts/ and bundles the sources, so that the program starts fast.
import { type BuildOptions, build } from 'esbuild';
import { generate } from './generate.ts';

const root = new URL('..', import.meta.url).pathname;
await generate(root);
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
  banner: { js: "import { createRequire as __cr } from 'node:module'; const require = __cr(import.meta.url);" },
  logLevel: 'warning',
} satisfies BuildOptions;
await build({
  ...shared,
  entryPoints: [`${root}src/cli/main.ts`],
  entryNames: 'coracle',
  outdir: `${root}dist`,
  // Commands are loaded when they are used: `status` need not wait for a container runtime.
  splitting: true,
});
// The log keeper of native containers is a process of its own, one for each node: alone it needs half the memory.
await build({
  ...shared,
  entryPoints: [`${root}src/container-runtime/native/shim.ts`],
  outfile: `${root}dist/container-shim.js`,
});
