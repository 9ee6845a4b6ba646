// Started in place of the program kube-apiserver. A bundle of its own loads faster than the whole command line.

import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { kubeApiserver } from './kube-apiserver.ts';

enableCompileCache(join(import.meta.dirname, '..', '.cache', 'compile'));
await kubeApiserver(process.argv.slice(2));
