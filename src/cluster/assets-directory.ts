import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The built files of the console: beside the bundle; of the last build in a checkout. */
export function assetsDirectory(): string {
  const paths = ['./console', '../../dist/console'].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  return paths.find((path) => existsSync(`${path}/manifest.json`)) ?? paths[0];
}
