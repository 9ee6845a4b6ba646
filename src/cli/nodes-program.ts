// The program of a cluster's nodes, beside the command line's.

import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

enableCompileCache(join(import.meta.dirname, '..', '.cache', 'compile'));
(await import('./running/run-nodes.ts')).runNodes();
