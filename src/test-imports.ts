// For the tests of the rules: every source file with its imports and exports.

import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const source = path.resolve(import.meta.dirname);
const project = path.resolve(source, '..');

export const isTest = (file: string): boolean =>
  /\.(test|contract)\.ts$/.test(file) || /(^|\/)(fake|test)-[a-z-]+\.ts$/.test(file);

/** Sources, relative to `src`, without generated ones. */
export const files: readonly string[] = globSync('**/*.{ts,tsx}', { cwd: source }).filter(
  (file) => !file.includes('generated/'),
);
const texts = new Map<string, string>();
export function read(file: string): string {
  let text = texts.get(file);
  if (text === undefined) texts.set(file, (text = readFileSync(path.join(source, file), 'utf8')));
  return text;
}

export interface Import {
  readonly file: string;
  readonly line: number;
  readonly target: string;
  /** `export ... from`: the file does not use the names itself. */
  readonly isExport: boolean;
  /** Names as the target exports them; undefined: all. */
  readonly names?: readonly string[];
  /** The same names as this file has them, after `as`. */
  readonly aliases?: readonly string[];
}

const statement = /(import|export)\s+(?:type\s+)?(\*(?:\s+as\s+\w+)?|\{[^}]*\})\s*from\s*'(\.[^']+\.tsx?)'/g;
const call = /(?:\{([^{}]*)\}\s*=\s*await\s+)?import\('(\.[^']+\.tsx?)'\)(?:\)\.(\w+))?/g;
export const lineOf = (text: string, index: number): number => text.slice(0, index).split('\n').length;

/** The imports of one file; `target` is relative to `src`. */
export function importsOf(file: string, text = read(file)): Import[] {
  const targetOf = (to: string) => path.relative(source, path.resolve(source, path.dirname(file), to));
  const found: Import[] = [];
  for (const { 0: whole, 1: verb, 2: names, 3: to, index } of text.matchAll(statement)) {
    const all = names.startsWith('*');
    const list = names
      .slice(1, -1)
      .split(',')
      .map((name) => name.trim().replace(/^type /, ''))
      .filter(Boolean)
      .map((name) => name.split(' as '));
    const line = lineOf(text, index + whole.length);
    found.push({
      ...{ file, line, target: targetOf(to), isExport: verb === 'export' },
      ...(!all && { names: list.map(([name]) => name), aliases: list.map((name) => name.at(-1) ?? '') }),
    });
  }
  for (const { 1: taken, 2: to, 3: member, index } of text.matchAll(call)) {
    const names = taken?.split(',').map((name) => name.split(':')[0].trim()) ?? (member && [member]);
    const line = lineOf(text, index);
    found.push({ file, line, target: targetOf(to), isExport: false, ...(names && { names: names.filter(Boolean) }) });
  }
  return found;
}

export const allImports: readonly Import[] = files.flatMap((file) => importsOf(file));

/** The whole-program tests, benchmarks and scripts, relative to `src`. */
export const outsideFiles: readonly string[] = globSync(['test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts'], {
  cwd: project,
}).map((file) => path.join('..', file));

export const outsideImports: readonly Import[] = outsideFiles.flatMap((file) => importsOf(file));

/** Groups of files that import each other, directly or through others (Tarjan's strongly connected components). */
export function circles(imports: readonly Import[]): string[][] {
  const targets = Map.groupBy(imports, ({ file }) => file);
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string): number => {
    order.set(file, order.size);
    low.set(file, order.size - 1);
    stack.push(file);
    for (const { target } of targets.get(file) ?? []) {
      if (!order.has(target)) low.set(file, Math.min(low.get(file) as number, visit(target)));
      else if (stack.includes(target)) low.set(file, Math.min(low.get(file) as number, order.get(target) as number));
    }
    if (low.get(file) === order.get(file)) {
      const group = stack.splice(stack.indexOf(file));
      if (group.length > 1) found.push(group.sort());
    }
    return low.get(file) as number;
  };
  for (const file of targets.keys()) if (!order.has(file)) visit(file);
  return found;
}
