// The architecture rules that a program can check. docs/design.md explains them.

import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  allImports,
  circles,
  files,
  type Import,
  isTest,
  lineOf,
  outsideFiles,
  outsideImports,
  read,
  source,
} from './test-imports.ts';
import { piecesOf } from './test-text.ts';

/** From top to bottom: a room may use the named ones, all of which are below it. */
const pure = ['machinery'];
const clients = ['client', 'api', ...pure];
const mayUse: Record<string, readonly string[]> = {
  machinery: [],
  api: pure,
  store: pure,
  client: ['api', ...pure],
  'kube-apiserver': ['store', ...clients],
  'container-runtime': pure,
  kubelet: ['container-runtime', ...clients],
  'kube-proxy': clients,
  'cluster-dns': clients,
  'network-policy': clients,
  'metrics-server': clients,
  'kube-scheduler': clients,
  'kube-controller-manager': clients,
  'cloud-controller-manager': clients,
  dashboard: clients,
};
const components = Object.keys(mayUse);
mayUse['cluster'] = components;
mayUse['testing'] = ['cluster', ...components];
mayUse['cli'] = ['testing', 'cluster', ...components];

/**
 * The front door of a room: the file that other rooms may import. `machinery` is a collection of tools: each is a door.
 */
const isDoor = (room: string, file: string) =>
  room === 'machinery' || file === `${room}/${room}.ts` || lightDoors.includes(file);
/**
 * Commands that only look at a cluster load these and not the whole of it; `run` loads no container runtime. Options are
 * checked before a command loads anything.
 */
const lightDoors = [
  ...['config', 'control', 'data-directory', 'run', 'version'].map((name) => `cluster/${name}.ts`),
  ...['api-server/api-server', 'backup/backup', 'etcd-stand-in/etcd-stand-in', 'local-console/local-console'].map(
    (name) => `cluster/${name}.ts`,
  ),
  'cluster/upgrade/upgrade.ts',
  ...['objects/bootstrap-token', 'objects/kubelet-labels', 'validation/metadata', 'validation/pod/tolerations'].map(
    (name) => `api/${name}.ts`,
  ),
];

const roomOf = (file: string) => file.split('/')[0];
const isInRoom = (file: string) => file.includes('/') && !file.startsWith('..');

const importsBetweenRooms: readonly Import[] = allImports.filter(
  ({ file, target }) => isInRoom(file) && isInRoom(target) && roomOf(file) !== roomOf(target),
);

describe('rooms', () => {
  test('every room is in the table', () =>
    expect([...new Set(files.filter((f) => f.includes('/')).map(roomOf))].filter((room) => !(room in mayUse))).toEqual(
      [],
    ));

  test('arrows go down only', () => {
    const wrong = importsBetweenRooms.filter(
      ({ file, target }) => !isTest(file) && !mayUse[roomOf(file)]?.includes(roomOf(target)),
    );
    expect(
      wrong.map(
        ({ file, line, target }) =>
          `${file}:${line}: ${roomOf(file)} may not import ${roomOf(target)}: move what both need down, or hand it in (docs/design.md, Rooms)`,
      ),
    ).toEqual([]);
  });

  test('through the front door', () => {
    const wrong = importsBetweenRooms.filter(({ file, target }) => !isTest(file) && !isDoor(roomOf(target), target));
    expect(
      wrong.map(
        ({ file, line, target }) =>
          `${file}:${line}: import ${roomOf(target)}/${roomOf(target)}.ts instead of ${target}`,
      ),
    ).toEqual([]);
  });
});

describe('the program', () => {
  /** Files that are loaded before a command is chosen. Imports of types alone load nothing. */
  const loadedBy = (entry: string): string[] => {
    const loaded = new Set([entry]);
    for (const file of loaded)
      for (const [, names, to] of read(file).matchAll(
        /^(?:import|export) (?!type\b)([^;]*?) from '(\.[^']+\.ts)';/gm,
      )) {
        const areTypes = /^\{.*\}$/s.test(names) && !/[{,]\s*(?!type\b)\w/.test(names);
        const target = path.join(path.dirname(file), to);
        if (!areTypes && files.includes(target)) loaded.add(target);
      }
    return [...loaded];
  };

  test('loads little before a command is chosen, as such code is compiled at each start', () => {
    const loaded = loadedBy('cli/main.ts');
    expect(loaded).toContain('cluster/settings/settings.ts');
    expect(loaded.filter((file) => /^(\w[\w-]*)\/\1\.ts$/.test(file))).toEqual([]);
    expect(loaded.length).toBeLessThan(50);
  });
});

describe('files', () => {
  test('do not import each other in a circle', () =>
    expect(
      circles(allImports).map((circle) => `${circle.join(', ')}: move what they share into a file of its own`),
    ).toEqual([]));

  test('export nothing that only they use', () => {
    const used = new Set<string>();
    const use = (file: string, name: string): void => {
      if (used.has(`${file} ${name}`)) return;
      used.add(`${file} ${name}`);
      // A use of a door is a use of the file from which the door exports the name.
      for (const { file: door, target, names, aliases, isExport } of allImports)
        if (isExport && door === file && (!names || aliases?.includes(name)))
          use(target, names?.[aliases?.indexOf(name) ?? 0] ?? name);
    };
    for (const { target, names, isExport } of [...allImports, ...outsideImports])
      if (!isExport) for (const name of names ?? exportsOf(target)) use(target, name);
    const dead = files
      .filter((file) => !isTest(file) && file !== publicDoor)
      .flatMap((file) => exportsOf(file).map((name) => `${file} ${name}`))
      .filter((entry) => !used.has(entry));
    expect(dead.map((entry) => `${entry}: remove "export", or the value itself`)).toEqual([]);
    const passedOn = allImports
      .filter(({ file, isExport }) => isExport && !isTest(file) && file !== publicDoor)
      .flatMap(({ file, line, aliases = [] }) =>
        aliases.map((name) => ({ name, entry: `${file} ${name}`, at: `${file}:${line}` })),
      )
      .filter(({ entry }) => !used.has(entry));
    expect(passedOn.map(({ name, at }) => `${at}: remove ${name}: no file imports it from here`)).toEqual([]);
  });
});

/** Names that come behind a dot, in a destructured object, or as a string. */
function memberUses(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/[^\n]*/g, '');
  const destructured = [...code.matchAll(/\{([^{}]*)\}\s*[=:)}]/g)].flatMap(
    ([, names]) => names.match(/[A-Za-z_]\w*/g) ?? [],
  );
  return [...code.matchAll(/\.\s*([A-Za-z_]\w*)|'(\w+)'/g)]
    .map(([, member, text]) => member ?? text)
    .concat(destructured);
}

/** The methods of classes and interfaces that stand at the left margin. */
function methodsOf(text: string): string[] {
  const bodies = text.matchAll(/^(?:export )?(?:abstract )?(?:class|interface) \w+[^\n]*\{\n([\s\S]*?)^\}/gm);
  const method = /^ {2}(?:(?:static|async|get|set|override|readonly) |\*)*([A-Za-z]\w*)\??(?:<[^>\n]*>)?\(/gm;
  return [...bodies].flatMap(([, body]) => [...body.matchAll(method)].map(([, name]) => name));
}

test('classes and interfaces have no method that nothing calls', () => {
  const uses = new Set([...files, ...outsideFiles].flatMap((file) => memberUses(read(file))).concat('constructor'));
  const dead = files
    .filter((file) => !isTest(file))
    .flatMap((file) => methodsOf(read(file)).map((name) => ({ file, name })))
    .filter(({ name }) => !uses.has(name));
  expect(dead.map(({ file, name }) => `${file}: remove ${name}`)).toEqual([]);
});

/** Code that api/ has as a function, and the file with the function. The pages of the console do not import api/. */
const vocabulary: readonly [pattern: RegExp, name: string, home: string][] = [
  [
    /\bstatus\??\.conditions\??\.find\(\((?:\w+|\{ type \})\) => (?:\w+\.)?type === '\w+'\)/,
    'conditionOf',
    'api/objects/conditions.ts',
  ],
  [
    /phase === '(Succeeded|Failed)' \|\| .*phase === '(?!\1)(?:Succeeded|Failed)'/,
    'isPodTerminal',
    'api/objects/pod.ts',
  ],
  [/ownerReferences\??\.find\(\(.*controller\)/, 'controllerOf', 'api/objects/owners.ts'],
];

test('code that api/ has as a function is not written again', () => {
  const wrong = files
    .filter((file) => !isTest(file) && roomOf(file) !== 'dashboard')
    .flatMap((file) =>
      vocabulary
        .filter(([pattern, , home]) => file !== home && pattern.test(read(file)))
        .map(([, name]) => `${file}: call ${name}()`),
    );
  expect(wrong).toEqual([]);
});

/** Users import from it. */
const publicDoor = 'testing/testing.ts';
const exported = /^export (?:declare )?(?:async )?(?:abstract )?(?:const|let|function\*?|class|interface|type) (\w+)/gm;

function exportsOf(file: string): string[] {
  if (!files.includes(file)) return [];
  return [...read(file).matchAll(exported)].map(([, name]) => name);
}

/** Uses of the system's clock, timers and randomness. */
const forbidden: readonly [RegExp, string][] = [
  [/\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(/, 'ask the Clock that was handed in'],
  [/(?<![.\w])set(Timeout|Interval)\(/, 'use clock.after or clock.sleep'],
  [/\bMath\.random\(|\brandomUUID\(|\brandomBytes\(/, 'ask the Random that was handed in'],
];
/**
 * Files that choose the clock and the randomness, and those that make keys and nonces, which must be unpredictable for
 * every seed.
 */
const mayTouchSystem = (file: string) =>
  ['machinery', 'cli'].includes(roomOf(file)) ||
  [
    'cluster/certificates/certificate-authority.ts',
    'cluster/configuration/encryption.ts',
    'cluster/joining/control-plane-keys.ts',
    'dashboard/secrets.ts',
    'dashboard/web/system.ts',
  ].includes(file) ||
  file.startsWith('store/encryption/') ||
  holdsPrograms(file) ||
  isTest(file);

/** The text of programs that run in containers. */
const holdsPrograms = (file: string) => file === 'container-runtime/images/hello-files.ts';

test('time and chance are handed in', () => {
  const wrong = files
    .filter((file) => !mayTouchSystem(file))
    .flatMap((file) =>
      read(file)
        .split('\n')
        .flatMap((text, index) => {
          const code = text.replace(/\/\/.*$/, '');
          const rule = forbidden.find(([pattern]) => pattern.test(code));
          return rule ? [`${file}:${index + 1}: ${rule[1]} (docs/design.md, idea 6)`] : [];
        }),
    );
  expect(wrong).toEqual([]);
});

/** Lines with a cast that the compiler does not check. */
function uncheckedCasts(text: string): number[] {
  const code = text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ''))
    .replace(/'(?:\\.|[^'\\\n])*'|\/\/.*$/gm, '');
  return [...code.matchAll(/\bas\s+(?:unknown\s+as|never|any)\b/g)].map(({ index }) => lineOf(code, index));
}

describe('unchecked casts', () => {
  test.each([
    ['const a = b as any;', [1]],
    ['a(b as never);', [1]],
    ['a\nb as unknown as C', [2]],
    ['b as unknown\n  as C', [1]],
    ['/** as any\n * client */ b as any[]', [2]],
    ["const url = 'http://as any'; a as never", [1]],
    ['// as any client\nb as unknown', []],
    ["a('serve as any')", []],
    ['a as anything', []],
  ])('%j has one on lines %j', (text, lines) => expect(uncheckedCasts(text)).toEqual(lines));

  test('none in the sources', () => {
    const wrong = files
      .filter((file) => !isTest(file))
      .flatMap((file) => uncheckedCasts(read(file)).map((line) => `${file}:${line}`));
    expect(
      wrong.map((place) => `${place}: type the value, or call asserted() of machinery/parsed.ts with the reason`),
    ).toEqual([]);
  });

  test('few values are asserted', () => {
    const uses = files.filter((file) => !isTest(file)).flatMap((file) => read(file).match(/\basserted<(?!T>)/g) ?? []);
    expect(uses.length).toBeLessThanOrEqual(6);
  });
});

const mostLines = 400;

test(`files stay within ${mostLines} lines`, () => {
  const long = [...files, ...outsideFiles]
    .map((file) => ({ file, lines: read(file).split('\n').length - 1 }))
    .filter(({ lines }) => lines > mostLines);
  expect(long.map(({ file, lines }) => `${file}: ${lines} lines: split it by subject`)).toEqual([]);
});

const mostFiles = 25;
/** Each file in them is one entry of one list. */
const lists = ['kube-apiserver/admission-plugins', 'cli', 'dashboard/web/model'];

test(`folders have at most ${mostFiles} files`, () => {
  const folders = Map.groupBy(
    files.filter((file) => !isTest(file)),
    (file) => path.dirname(file),
  );
  const full = [...folders].filter(([folder, { length }]) => length > mostFiles && !lists.includes(folder));
  expect(full.map(([folder, { length }]) => `${folder}: ${length} files: group those of one subject`)).toEqual([]);
});

describe('files that exist are named', () => {
  const project = path.resolve(source, '..');
  const all = globSync(['*.ts', '{src,test,scripts,bench,docs}/**/*.{ts,tsx}'], { cwd: project });
  const isThere = (file: string) => all.some((one) => `/${one}`.endsWith(`/${file.replace(/^\.+\//, '')}`));
  const placeholders = /^(?:x|NAME)\.|\/GROUP\//;

  test('by documents', () => {
    const wrong = globSync('{*,docs/*}.md', { cwd: project }).flatMap((document) =>
      [...readFileSync(path.join(project, document), 'utf8').matchAll(/`([\w./-]+\.tsx?)`/g)]
        .map(([, file]) => file)
        .filter((file) => !placeholders.test(file) && !isThere(file))
        .map((file) => `${document}: ${file}`),
    );
    expect(wrong).toEqual([]);
  });

  test('by comments', () => {
    const wrong = files.flatMap((file) =>
      piecesOf(read(file))
        .filter(({ kind }) => kind === 'comment')
        .flatMap(({ text, line }) =>
          [...text.matchAll(/(?<![\w./:-])([\w./-]+\.tsx?)\b(?!\.)/g)]
            .map(([, name]) => name)
            .filter((name) => !isThere(name) && !isThere(path.join(path.dirname(file), name)))
            .map((name) => `${file}:${line}: ${name}`),
        ),
    );
    expect(wrong).toEqual([]);
  });
});
