// The common part of cgroup v1 and v2: a path with the same meaning in one or more hierarchies.

import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { signal } from '../processes/process.ts';
import { childrenOf, processesIn, removeBelow, removeCgroup } from './files.ts';

export abstract class Hierarchies {
  /** Reads use the first one. */
  abstract directories(path: string): readonly string[];

  exists(path: string): boolean {
    return this.directories(path).some((directory) => fs.existsSync(directory));
  }

  children(path: string): readonly string[] {
    return [...new Set(this.directories(path).flatMap(childrenOf))];
  }

  processes(path: string): readonly number[] {
    return processesIn(this.directories(path)[0]);
  }

  remove(path: string, andParents = false): void {
    for (const pid of this.processes(path)) signal(pid, 'SIGKILL');
    // The runtime makes a cgroup in each hierarchy, whether it has limits or not, and leaves the parents behind.
    for (const root of this.directories('/')) {
      const parent = join(root, dirname(path));
      removeBelow(join(root, path));
      for (let at = join(root, path); at.length > root.length; at = dirname(at)) {
        if (!removeCgroup(at) || (!andParents && dirname(at) === parent)) break;
      }
    }
  }

  removeEmpty(path: string): void {
    for (const directory of this.directories(path)) if (processesIn(directory).length === 0) removeCgroup(directory);
  }
}
