// Files that others read while they are written, or that a kill may cut short.

import { realpath, rename, writeFile } from 'node:fs/promises';

/** The file has the text as a whole, or stays as it is, also when the machine loses its power. Follows a link. */
export async function writeWhole(file: string, text: string, mode = 0o644): Promise<void> {
  const target = await realpath(file).catch(() => file);
  const temporary = `${target}.${process.pid}.new`;
  await writeFile(temporary, text, { mode, flush: true });
  await rename(temporary, target);
}
