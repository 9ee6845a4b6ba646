// Started in place of the program kube-apiserver. A separate bundle loads faster than the whole command line.

import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// The code below is imported when the cache is on: static imports are compiled before.
enableCompileCache(join(import.meta.dirname, '..', '.cache', 'compile'));
await (await import('./kube-apiserver.ts')).kubeApiserver(process.argv.slice(2));
