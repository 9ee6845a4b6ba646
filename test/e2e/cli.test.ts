// The command line's errors: the message has cause, place and remedy, the exit code is right, and no state is left
// behind.

import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { issue } from '../../src/cluster/certificates/certificates.ts';
import { longTest } from '../long/long.ts';
import { checkout, Machine, whyNot } from './machine.ts';

const reason = whyNot();
const dayMs = 86_400_000;

describe.skipIf(reason)(`the command line${reason ? `: ${reason}` : ''}`, () => {
  let machine: Machine;
  beforeAll(() => {
    machine = new Machine();
  });
  afterAll(() => machine?.dispose());

  const place = (name: string) => path.join(machine.directory, name);
  const simulated = (name: string, ...more: string[]) =>
    machine.coracle('up', '--data-dir', place(name), '--runtime', 'simulated', '--port', '0', ...more);

  test.each([
    ['no command', [], 2, /Usage: coracle/],
    ['--help', ['--help'], 0, /Usage: coracle/],
    ['--version', ['--version'], 0, /^\d+\.\d+\.\d+/],
    ...['up', 'down', 'status', 'explain', 'image', 'backup', 'restore', 'test', 'bench'].map(
      (command) => [`${command} --help`, [command, '--help'], 0, new RegExp(`Usage: coracle ${command}`)] as const,
    ),
    ...['load', 'ls', 'rm'].map(
      (command) =>
        [
          `image ${command} --help`,
          ['image', command, '--help'],
          0,
          new RegExp(`Usage: coracle image ${command}`),
        ] as const,
    ),
    ['an unknown command', ['fly'], 2, /unknown command 'fly'/],
    ['an unknown option', ['up', '--fast'], 2, /unknown option '--fast'/],
    ['a port that is none', ['up', '--port', '70000'], 2, /Give a whole number from 0 to 65535/],
    ['a runtime that there is not', ['up', '--runtime', 'magic'], 2, /Allowed choices are native, cri, simulated/],
    ['a name that is none', ['up', '--name', 'Not OK'], 2, /lower-case letters/],
    ['a component that there is not', ['up', '--components', 'etcd'], 2, /unknown component "etcd"/],
    ['etcd without endpoints', ['up', '--store', 'etcd'], 2, /needs --etcd-endpoints/],
    ['explaining an object of another kind', ['explain', 'secret', 'x'], 2, /only pod/],
    ['image without a verb', ['image'], 2, /Usage: coracle image/],
    ['measuring nothing', ['bench'], 2, /name one or two clusters with --kubeconfig/],
    ['loading nothing', ['image', 'load'], 2, /missing required argument 'file'/],
    ['a backup of no cluster', ['backup', 'create', 'x', '--name', 'nowhere'], 3, /there is no cluster in /],
    ['a backup without a place', ['restore'], 2, /missing required argument 'file'/],
    [
      'a restore into etcd without endpoints',
      ['restore', 'x', '--yes', '--store', 'etcd'],
      2,
      /needs --etcd-endpoints/,
    ],
    [
      'endpoints of no etcd',
      ['restore', 'x', '--yes', '--store', 'embedded', '--etcd-endpoints', 'x'],
      2,
      /needs --store/,
    ],
    ['a schedule without a place', ['up', '--backup-schedule', '@daily'], 2, /need each other/],
    ['a schedule that is none', ['up', '--backup-schedule', 'daily'], 2, /expected exactly 5 fields/],
  ] as const)('%s', async (_, args, code, says) => {
    const result = await machine.coracle(...args);
    expect(`${result.stdout}${result.stderr}`).toMatch(says);
    expect(result.code).toBe(code);
  });

  test('output to a closed pipe', async () => {
    const command = `${path.join(checkout, 'coracle')} up --help`;
    const { code, stderr } = await machine.run('bash', ['-c', `set -o pipefail; { sleep 0.3; ${command}; } | true`]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('a cluster that does not exist', async () => {
    const at = ['--data-dir', place('nowhere')];
    expect(await machine.coracle('status', ...at)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('./coracle up'),
    });
    const json = await machine.coracle('status', '--output', 'json', ...at);
    expect({ code: json.code, ...JSON.parse(json.stdout) }).toMatchObject({ code: 3, running: false });
    expect(await machine.coracle('down', ...at)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('nothing to stop'),
    });
    expect(await machine.coracle('explain', 'pod', 'x', ...at)).toMatchObject({ code: 3 });
    expect(readdirSync(machine.directory)).not.toContain('nowhere');
  });

  test('without root, up names the missing rights, and simulated nodes work', async () => {
    mkdirSync(place('user'));
    chownSync(place('user'), 65534, 65534);
    const up = (...more: string[]) =>
      machine.run('setpriv', [
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        path.join(checkout, 'coracle'),
        'up',
        '--data-dir',
        place('user/data'),
        '--port',
        '0',
        ...more,
      ]);
    const refused = await up();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('real containers need root: run "sudo ./coracle up"');
    expect(refused.stderr).toContain('--runtime simulated');
    const works = await up('--runtime', 'simulated');
    expect(works.code, works.stderr).toBe(0);
    expect((await machine.coracle('down', '--delete', '--data-dir', place('user/data'))).code).toBe(0);
  });

  test('a CRI runtime that does not answer', async () => {
    const result = await machine.coracle(
      'up',
      '--data-dir',
      place('nocri'),
      '--port',
      '0',
      '--runtime',
      'cri',
      '--cri-endpoint',
      place('no.sock'),
    );
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(`no container runtime at unix://${place('no.sock')}`);
    expect(machine.processes(place('nocri'))).toEqual([]);
  });

  longTest('the benchmarks measure a cluster', async () => {
    expect((await simulated('measured', '--components', 'kube-apiserver')).code).toBe(0);
    const at = ['--data-dir', place('measured')];
    const { pid } = JSON.parse((await machine.coracle('status', '--output', 'json', ...at)).stdout);
    const kubeconfig = path.join(place('measured'), 'kubeconfig');
    const result = await machine.coracle(
      ...['bench', '--kubeconfig', kubeconfig, '--pids', String(pid), '--scale', '0.01', '--runs', '2'],
    );
    expect(result.code, result.stderr).toBe(0);
    for (const figure of ['create', 'create one at a time, p50', 'get', 'patch', 'list by label', 'events delivered'])
      expect(result.stdout).toMatch(new RegExp(`^  ${figure} +[\\d.]+ `, 'm'));
    expect((await machine.coracle('down', '--delete', ...at)).code).toBe(0);
  });

  test('a port that is taken', async () => {
    const server = machine.background(process.execPath, [
      '-e',
      'net.createServer().listen(7001, () => console.log("up"))',
    ]);
    await server.shows(/up/);
    const result = await simulated('taken', '--port', '7001');
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('port 7001 is taken by another process: choose another with --port');
    expect(machine.processes(place('taken'))).toEqual([]);
    await server.end();
    expect((await simulated('taken', '--port', '7001')).code).toBe(0);
    expect((await machine.coracle('down', '--delete', '--data-dir', place('taken'))).code).toBe(0);
  });

  test('a full disk', async () => {
    mkdirSync(place('disk'));
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', place('disk')]).status).toBe(0);
    spawnSync('dd', ['if=/dev/zero', `of=${place('disk/fill')}`, 'bs=4k']);
    const result = await simulated('disk/data');
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/disk that holds .* is full|no space left/i);
    expect(result.stderr).toContain('--data-dir');
    expect(machine.processes(place('disk'))).toEqual([]);
  });

  test.each([
    ['damaged', '{"form', /coracle\.json is damaged: restore .* from a backup, or start again with another --data-dir/],
    ['of another version', '{"format":99}', /written by another version of Coracle \(format 99, this one reads \d+\)/],
  ])('a data directory that is %s', async (name, stamp, says) => {
    const data = name.replaceAll(' ', '-');
    mkdirSync(place(data));
    writeFileSync(place(`${data}/coracle.json`), stamp);
    const result = await simulated(data);
    expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(says) });
    expect(readFileSync(place(`${data}/coracle.json`), 'utf8')).toBe(stamp);
    expect(readdirSync(place(data))).toEqual(['coracle.json']);
  });

  test('a data directory that is a file', async () => {
    writeFileSync(place('file'), 'mine');
    const result = await simulated('file');
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining(`cannot use ${place('file')}`) });
    expect(readFileSync(place('file'), 'utf8')).toBe('mine');
  });

  test('a store that has lost its end', async () => {
    expect((await simulated('cut')).code).toBe(0);
    expect((await machine.coracle('down', '--data-dir', place('cut'))).code).toBe(0);
    const file = readdirSync(place('cut/store'))
      .map((name) => place(`cut/store/${name}`))
      .find((name) => /\.mdb$/.test(name))!;
    truncateSync(file, 5000);
    const result = await simulated('cut');
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/is damaged: .*backup/);
    expect(machine.processes(place('cut'))).toEqual([]);
  });

  describe('clusters side by side', () => {
    const kubeconfig = (name: string) => ({ env: { KUBECONFIG: place(`${name}/kubeconfig`) } });
    const field = (name: string, key: string) =>
      Buffer.from(new RegExp(`${key}: (\\S+)`).exec(readFileSync(place(`${name}/kubeconfig`), 'utf8'))![1], 'base64');
    const server = (name: string) => /server: (\S+)/.exec(readFileSync(place(`${name}/kubeconfig`), 'utf8'))![1];

    beforeAll(async () => {
      const started = await Promise.all([
        simulated('one', '--name', 'one', '--nodes', '3'),
        simulated('two', '--name', 'two'),
      ]);
      for (const { code, stderr } of started) expect(code, stderr).toBe(0);
    });
    afterAll(async () => {
      for (const name of ['one', 'two']) await machine.coracle('down', '--delete', '--data-dir', place(name));
    });

    test('each has its own nodes and objects', async () => {
      const kubectl = (name: string, ...args: string[]) =>
        machine.run(path.join(checkout, 'coracle'), ['kubectl', '--data-dir', place(name), ...args]);
      expect((await kubectl('one', 'create', 'namespace', 'only-in-one')).code).toBe(0);
      expect((await kubectl('two', 'get', 'namespace', 'only-in-one')).code).toBe(1);
      expect((await kubectl('one', 'get', 'nodes', '-o', 'name')).stdout.trim().split('\n')).toHaveLength(3);
      expect((await kubectl('two', 'get', 'nodes', '-o', 'name')).stdout.trim().split('\n')).toHaveLength(1);
      expect((await kubectl('one', 'config', 'current-context')).stdout).toBe('one\n');
    });

    test('a data directory in use', async () => {
      const result = await simulated('one', '--foreground');
      expect(result.code).toBe(1);
      expect(result.stderr).toMatch(/is in use by the process \d+: stop it with "coracle down --data-dir .*"/);
      expect((await machine.coracle('status', '--data-dir', place('one'))).code).toBe(0);
    });

    test.each([
      [
        'its own',
        async () => ({ cert: field('one', 'client-certificate-data'), key: field('one', 'client-key-data') }),
        200,
      ],
      [
        'one of another cluster',
        async () => ({ cert: field('two', 'client-certificate-data'), key: field('two', 'client-key-data') }),
        401,
      ],
      ['an expired one', expired, 401],
    ])('a client certificate: %s', async (_, make, status) => {
      const { cert, key } = await make();
      writeFileSync(place('client.crt'), cert);
      writeFileSync(place('client.key'), key);
      writeFileSync(place('ca.crt'), field('one', 'certificate-authority-data'));
      const result = await machine.curl(
        `${server('one')}/api/v1/nodes`,
        '--cacert',
        place('ca.crt'),
        '--cert',
        place('client.crt'),
        '--key',
        place('client.key'),
        '-w',
        '\n%{http_code}',
      );
      const [, body, code] = /^([\s\S]*)\n(\d+)$/.exec(result.stdout) ?? [];
      expect(code, result.stderr).toBe(String(status));
      expect(JSON.parse(body)).toMatchObject(
        status === 200
          ? { kind: 'NodeList' }
          : { kind: 'Status', reason: 'Unauthorized', message: 'Unauthorized', code: 401 },
      );
    });

    test('kubectl with the certificate of another cluster', async () => {
      writeFileSync(
        place('mixed'),
        readFileSync(place('two/kubeconfig'), 'utf8')
          .replace(/server: .*/, `server: ${server('one')}`)
          .replace(
            /certificate-authority-data: .*/,
            `certificate-authority-data: ${field('one', 'certificate-authority-data').toString('base64')}`,
          ),
      );
      const result = await machine.run(path.join(checkout, '.cache/tools/kubectl'), ['get', 'nodes'], {
        env: { KUBECONFIG: place('mixed') },
      });
      expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('You must be logged in to the server') });
    });

    test.each([
      ['broken YAML', 'kind: [', /error parsing STDIN: error converting YAML to JSON/],
      ['an unknown field', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndatas: {}', /unknown field "datas"/],
      ['a wrong type', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: 5', /data/],
      [
        'a name out of rule',
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: X_y}',
        /metadata\.name: Invalid value: "X_y"/,
      ],
    ])('kubectl apply of %s', async (_, input, says) => {
      const result = await machine.run(path.join(checkout, '.cache/tools/kubectl'), ['apply', '-f', '-'], {
        ...kubeconfig('one'),
        input,
      });
      expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(says) });
    });

    test("--merge-kubeconfig, and only it, changes the user's kubeconfig", async () => {
      const own = path.join(machine.directory, '.kube', 'config');
      const before = await machine.coracle('up', '--data-dir', place('one'), '--name', 'one', '--runtime', 'simulated');
      expect(before.code).toBe(0);
      expect(() => readFileSync(own)).toThrow();
      const result = await machine.run(
        path.join(checkout, 'coracle'),
        ['up', '--data-dir', place('one'), '--name', 'one', '--runtime', 'simulated', '--merge-kubeconfig'],
        { env: { KUBECONFIG: '' } },
      );
      expect(result.code, result.stderr).toBe(0);
      expect(readFileSync(own, 'utf8')).toContain('current-context: one');
    });

    /** An administrator certificate that the cluster's CA issued long ago. */
    async function expired() {
      const [caCert, caKey] = ['crt', 'key'].map((ending) => readFileSync(place(`one/pki/ca.${ending}`), 'utf8'));
      const request = {
        name: 'old',
        commonName: 'kubernetes-admin',
        organizations: ['system:masters'],
        usage: 'client',
      } as const;
      const { cert, key } = await issue({ cert: caCert, key: caKey }, request, Date.now() - 500 * dayMs);
      return { cert: Buffer.from(cert), key: Buffer.from(key) };
    }
  });

  test('--foreground logs, and ends cleanly on SIGTERM', async () => {
    const cluster = machine.background(path.join(checkout, 'coracle'), [
      'up',
      '--foreground',
      '--data-dir',
      place('front'),
      '--runtime',
      'simulated',
      '--port',
      '0',
    ]);
    await cluster.shows(/cluster ready/);
    const ended = new Promise((resolve) => cluster.child.once('exit', resolve));
    for (const pid of machine.processes(place('front'))) process.kill(pid, 'SIGTERM');
    expect(await ended).toBe(0);
    expect(cluster.text()).toContain('stopped');
  });
});
