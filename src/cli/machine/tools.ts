// Programs for the tests that this machine may lack: installed in the checkout's .cache, or from Debian.

import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout: this file is bundled into dist/, one level below it. */
export const checkout = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
export const toolsDirectory = path.join(checkout, '.cache', 'tools');
