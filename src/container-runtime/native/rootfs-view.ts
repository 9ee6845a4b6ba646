// A container's file tree as its processes will see it, before it is mounted: the overlay's upper and lower directories
// and the volumes. Links are followed as inside, so nothing an image or a volume holds leads out of the tree.

import * as fs from 'node:fs';
import { join, posix } from 'node:path';
import type { Mount } from '../container-runtime.ts';
import { RuntimeError } from '../runtime-error.ts';

export interface Located {
  /** Inside, without links. */
  readonly path: string;
  /** On this machine; undefined when it does not exist. */
  readonly host?: string;
}

const mostLinks = 40;

export class RootfsView {
  readonly #upper: string;
  readonly #lower: string;
  readonly #mounts: { path: string; host: string }[] = [];

  constructor(upper: string, lower: string) {
    this.#upper = upper;
    this.#lower = lower;
  }

  addMount(path: string, hostPath: string): void {
    this.#mounts.unshift({ path, host: hostPath });
  }

  /** Follows every link on the way and at the end. Parts that do not exist are kept as they are. */
  locate(path: string): Located {
    const todo = posix.normalize(`/${path}`).split('/').filter(Boolean);
    let at = '/';
    let links = 0;
    while (todo.length > 0) {
      const part = todo.shift()!;
      if (part === '..') {
        at = posix.dirname(at);
        continue;
      }
      const next = posix.join(at, part);
      const host = this.#host(next);
      if (!host || !fs.lstatSync(host).isSymbolicLink()) {
        at = next;
        continue;
      }
      if (++links > mostLinks) throw new RuntimeError('create', `too many levels of symbolic links: ${path}`);
      const target = fs.readlinkSync(host);
      if (target.startsWith('/')) at = '/';
      todo.unshift(...target.split('/').filter((step) => step && step !== '.'));
    }
    return { path: at, host: at === '/' ? this.#lower : this.#host(at) };
  }

  /** Makes a mount's target where it is missing, and tells where it is, without links. */
  makeTarget(mount: Mount): string {
    const { path, host } = this.locate(mount.containerPath);
    if (host || path === '/') return path;
    const asDirectory = fs.statSync(mount.hostPath).isDirectory();
    if (asDirectory) this.makeDirectory(path);
    else {
      this.makeDirectory(posix.dirname(path));
      fs.writeFileSync(this.#writable(path), '');
    }
    return path;
  }

  makeDirectory(path: string): string {
    const located = this.locate(path);
    let at = '';
    for (const part of located.path.split('/').filter(Boolean)) {
      at += `/${part}`;
      // In the upper directory a directory that the lower one has as well merges with it, so owner and mode are taken over.
      const host = this.#host(at);
      const target = this.#writable(at);
      if (fs.existsSync(target)) continue;
      fs.mkdirSync(target, { mode: 0o755 });
      if (!host) continue;
      const { mode, uid, gid } = fs.statSync(host);
      fs.chmodSync(target, mode & 0o7777);
      fs.chownSync(target, uid, gid);
    }
    return located.path;
  }

  read(path: string): string | undefined {
    const { host } = this.locate(path);
    return host && fs.statSync(host).isFile() ? fs.readFileSync(host, 'utf8') : undefined;
  }

  /** What to say when `command` cannot be run, in runc's words; undefined when it can. */
  whyNotExecutable(command: string, searchPath: string, cwd: string): string | undefined {
    const candidates = command.includes('/')
      ? [posix.resolve(cwd, command)]
      : searchPath.split(':').map((directory) => posix.resolve(cwd, directory, command));
    let found: string | undefined;
    for (const candidate of candidates) {
      if (/^\/(proc|sys|dev)\//.test(candidate)) return undefined; // not to be known beforehand
      const { host } = this.locate(candidate);
      const stat = host ? fs.statSync(host, { throwIfNoEntry: false }) : undefined;
      if (stat?.isFile() && stat.mode & 0o111) return undefined;
      if (stat) found ??= candidate;
    }
    const exec = `exec: ${JSON.stringify(command)}:`;
    if (!command.includes('/')) return `${exec} executable file not found in $PATH`;
    return found
      ? `${exec} ${fs.statSync(this.locate(found).host!).isDirectory() ? 'is a directory' : 'permission denied'}`
      : `${exec} stat ${command}: no such file or directory`;
  }

  /** Where a path without links lies on this machine, if it exists. */
  #host(path: string): string | undefined {
    const mounted = this.#mounted(path);
    const candidates = mounted ? [mounted] : [join(this.#upper, path), join(this.#lower, path)];
    return candidates.find((host) => fs.lstatSync(host, { throwIfNoEntry: false }));
  }

  #writable(path: string): string {
    return this.#mounted(path) ?? join(this.#upper, path);
  }

  #mounted(path: string): string | undefined {
    const mount = this.#mounts.find((m) => path === m.path || path.startsWith(m.path === '/' ? '/' : `${m.path}/`));
    return mount && join(mount.host, path.slice(mount.path.length));
  }
}
