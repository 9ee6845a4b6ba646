// Reads files of an image's tree on this machine. Links resolve inside the tree, so none leads out of it.

import * as fs from 'node:fs';
import { join, posix } from 'node:path';
import { must } from '../../../machinery/must.ts';
import { RuntimeError } from '../../runtime-error.ts';
import type { Accounts } from './user.ts';

const mostLinks = 40;
/** /etc/passwd of a large site has some 100 KB. */
const mostBytes = 4 * 2 ** 20;

export function accountsOf(tree: string): Accounts {
  return { passwd: readInTree(tree, '/etc/passwd') ?? '', group: readInTree(tree, '/etc/group') ?? '' };
}

/** Undefined where there is no such file, or it is not a regular one. */
function readInTree(tree: string, path: string): string | undefined {
  const host = join(tree, resolveInTree(tree, path));
  // Not opened to find out: a device acts when it is opened, and a watchdog restarts the machine.
  const stat = fs.lstatSync(host, { throwIfNoEntry: false });
  if (!stat?.isFile()) return undefined;
  if (stat.size > mostBytes) throw new RuntimeError('create', `${path} of the image is larger than ${mostBytes} bytes`);
  return fs.readFileSync(host, { encoding: 'utf8', flag: fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW });
}

/** The path without links. Missing parts stay. */
function resolveInTree(tree: string, path: string): string {
  const todo = path.split('/').filter(Boolean);
  let at = '/';
  let links = 0;
  while (todo.length > 0) {
    const part = must(todo.shift(), 'path component');
    if (part === '.' || part === '..') {
      if (part === '..') at = posix.dirname(at);
      continue;
    }
    const next = posix.join(at, part);
    const stat = fs.lstatSync(join(tree, next), { throwIfNoEntry: false });
    if (!stat?.isSymbolicLink()) {
      at = next;
      continue;
    }
    if (++links > mostLinks) throw new RuntimeError('create', `too many levels of symbolic links: ${path}`);
    const target = fs.readlinkSync(join(tree, next));
    if (target.startsWith('/')) at = '/';
    todo.unshift(...target.split('/').filter(Boolean));
  }
  return at;
}
