// Backups of a running cluster, as a user makes them: with real kubectl, encrypted, scheduled, and restored after a loss.

import { copyFileSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { longTest, notLong } from '../long/long.ts';
import { eventually, Machine, type Result, whyNot } from './machine.ts';

const reason = whyNot();

describe.skipIf(reason)(`backup and restore${reason ? `: ${reason}` : ''}`, () => {
  let machine: Machine;
  let recipient: string;
  const place = (name: string) => path.join(machine.directory, name);
  const on = (name: string) => ['--data-dir', place(name)];
  const up = (name: string, ...more: string[]) =>
    succeeds('up', ...on(name), '--runtime', 'simulated', '--port', '7443', '--encryption-config', 'auto', ...more);

  async function succeeds(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await machine.coracle(...args);
    expect(code, `coracle ${args.join(' ')}\n${stdout}${stderr}`).toBe(0);
    return stdout;
  }
  const fails = async (...args: string[]): Promise<Result> => {
    const result = await machine.coracle(...args);
    expect(result.code, `${result.stdout}${result.stderr}`).not.toBe(0);
    return result;
  };
  const revision = async () =>
    Number(JSON.parse(await machine.kubectl('get', '--raw', '/api/v1/configmaps?limit=1')).metadata.resourceVersion);

  beforeAll(async () => {
    machine = new Machine();
    const identity = await generateX25519Identity();
    recipient = await identityToRecipient(identity);
    writeFileSync(place('identity'), `# made for this test\n${identity}\n`, { mode: 0o600 });
    await up('one', '--nodes', '2');
    copyFileSync(place('one/kubeconfig'), place('old.kubeconfig'));
    machine.kubeconfig = place('old.kubeconfig');
  });
  afterAll(async () => {
    for (const name of ['one', 'two']) await machine?.coracle('down', '--delete', ...on(name));
    machine?.dispose();
  });

  let token: string;
  let before: number;
  let uid: string;

  test('a backup is made while clients write, and has one revision', async () => {
    await machine.kubectl('create', 'deployment', 'web', '--image=web', '--replicas=3');
    await machine.kubectl('create', 'secret', 'generic', 'login', '--from-literal=password=swordfish');
    await machine.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    token = (await machine.kubectl('create', 'token', 'default', '--duration=1h')).trim();
    uid = await machine.kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.metadata.uid}');
    before = await revision();
    let stopped = false;
    const writing = (async () => {
      for (let i = 0; !stopped; i++) await machine.kubectl('create', 'configmap', `write-${i}`, '--from-literal=a=b');
    })();
    const output = await succeeds('backup', 'create', place('whole.backup'), ...on('one'), '--recipient', recipient);
    expect(output).toMatch(/is complete/);
    stopped = true;
    await writing;
    expect(statSync(place('whole.backup')).mode & 0o777).toBe(0o600);
    expect(readFileSync(place('whole.backup')).includes('swordfish')).toBe(false);
    const again = await fails('backup', 'create', place('whole.backup'), ...on('one'));
    expect(again.stderr).toMatch(/exists: choose another name/);
  });

  test('its content is listed with its private key', async () => {
    expect((await fails('backup', 'inspect', place('whole.backup'))).stderr).toMatch(/--identity/);
    const inspect = ['backup', 'inspect', place('whole.backup'), '--identity', place('identity')];
    const found = JSON.parse(await succeeds(...inspect, '-o', 'json'));
    expect(found).toMatchObject({ cluster: 'coracle', store: 'embedded', encryption: 'recipients' });
    expect(found.revision).toBeGreaterThanOrEqual(before);
    const count = (resource: string) => found.resources.find((each: any) => each.resource === resource)?.count;
    expect([count('pods'), count('deployments.apps'), count('nodes'), count('secrets')]).toEqual([3, 1, 2, 1]);
    const files = found.files.map((file: any) => file.path);
    expect(files).toEqual(
      expect.arrayContaining(['pki/ca.key', 'pki/sa.key', 'pki/front-proxy-ca.key', 'pki/encryption.yaml']),
    );
    expect(await succeeds(...inspect)).toMatch(/whole: all checksums match[\s\S]*pods +3 /);
  });

  test('a backup of the past has the objects of then', async () => {
    const then = await revision();
    await machine.kubectl('create', 'configmap', 'later');
    await succeeds('backup', 'create', place('past.backup'), ...on('one'), '--at', String(then));
    const count = async (file: string) =>
      JSON.parse(await succeeds('backup', 'inspect', place(file), '-o', 'json')).resources.find(
        (each: any) => each.resource === 'configmaps',
      ).count;
    await succeeds('backup', 'create', place('now.backup'), ...on('one'));
    expect((await count('now.backup')) - (await count('past.backup'))).toBe(1);
    for (const [at, message] of [
      ['999999', /not reached yet/],
      ['2020-01-01T00:00:00Z', /too far back: the history of the store begins at revision \d+/],
      ['noon', /neither a revision nor a time/],
    ] as const) {
      expect((await fails('backup', 'create', place('no.backup'), ...on('one'), '--at', at)).stderr).toMatch(message);
      expect(readdirSync(machine.directory)).not.toContain('no.backup');
    }
  });

  const restore = (name: string, ...more: string[]) =>
    ['restore', place('whole.backup'), ...on(name), '--identity', place('identity'), ...more] as const;

  test('invalid restores are refused, and the cluster stays', async () => {
    expect((await fails(...restore('one'))).stderr).toMatch(/runs \(process \d+\): stop it/);
    await machine.kubectl('delete', 'deployment', 'web');
    await machine.kubectl('delete', 'secret', 'login');
    await machine.kubectl('create', 'namespace', 'later');
    await succeeds('down', ...on('one'));
    expect((await fails(...restore('one'))).stderr).toMatch(/give --yes/);
    const bytes = readFileSync(place('now.backup'));
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(place('damaged.backup'), bytes);
    const damaged = await fails('restore', place('damaged.backup'), ...on('one'), '--yes');
    expect(damaged.stderr).toMatch(/damaged\.backup cannot be used: it is damaged/);
    expect((await fails('restore', place('none.backup'), ...on('one'), '--yes')).stderr).toMatch(/does not exist/);
    expect((await fails('restore', place('identity'), ...on('one'), '--yes')).stderr).toMatch(/not a backup/);
    expect(readdirSync(place('one'))).not.toContain('restoring');
  });

  test('restored, the cluster is the one of before for all its clients', async () => {
    const output = await succeeds(...restore('one', '--yes'));
    expect(output).toMatch(/What was written since in .* is lost/);
    expect(output).toMatch(/namespaces +1 +0 +0/);
    expect(output).toMatch(/pods +0 +0 +3/);
    const [, command] = /\n {2}\.\/coracle (up .*)\n/.exec(output) ?? [];
    await succeeds(...command.split(' '));
    expect(await machine.kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.metadata.uid}')).toBe(uid);
    await machine.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    const secret = await machine.kubectl('get', 'secret', 'login', '-o', 'jsonpath={.data.password}');
    expect(Buffer.from(secret, 'base64').toString()).toBe('swordfish');
    expect((await machine.tryKubectl(['get', 'namespace', 'later'])).stderr).toMatch(/not found/);
    const pods = `https://${machine.address}:7443/api/v1/namespaces/default/pods`;
    expect((await machine.curl(pods, '-k', '-H', `Authorization: Bearer ${token}`)).stdout).toContain(
      'User \\"system:serviceaccount:default:default\\" cannot list',
    );
    expect(await revision()).toBeGreaterThan(before + 1_000_000_000);
    const objects = JSON.parse(
      await machine.kubectl('get', 'secrets,deployments,namespaces', '-A', '-o', 'json'),
    ).items;
    for (const { metadata } of objects)
      expect(Number(metadata.resourceVersion)).toBeGreaterThan(before + 1_000_000_000);
    const watch = `/api/v1/pods?watch=1&resourceVersion=${before}&timeoutSeconds=5`;
    expect(await machine.kubectl('get', '--raw', watch)).toMatch(/"code":410/);
    expect(await machine.kubectl('get', 'nodes')).toMatch(/ Ready /);
  });

  longTest('a new machine gets the same cluster, with backups by a schedule', async () => {
    await succeeds('down', '--delete', ...on('one'));
    await succeeds(...restore('two', '--yes', '--name', 'second'));
    const schedule = ['--backup-schedule', '@every 1s', '--backup-to', place('scheduled'), '--backup-keep', '2'];
    await up('two', '--name', 'second', '--nodes', '2', ...schedule);
    expect(await machine.kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.metadata.uid}')).toBe(uid);
    const names = () => readdirSync(place('scheduled')).filter((name) => !name.startsWith('.'));
    const first = await eventually(() => {
      expect(names()).toHaveLength(2);
      return names();
    });
    await eventually(() => expect(names().filter((name) => first.includes(name))).toEqual([]));
    // The next ones replace it within seconds.
    const newest = names().sort().at(-1) ?? '';
    copyFileSync(path.join(place('scheduled'), newest), place('copy.backup'));
    expect(await succeeds('backup', 'inspect', place('copy.backup'))).toMatch(/all checksums match/);
    rmSync(place('scheduled'), { recursive: true });
    writeFileSync(place('scheduled'), 'no directory');
    await eventually(async () =>
      expect((await fails('status', ...on('two'))).stderr).toMatch(/scheduled backup failed/),
    );
  });
});

const longReason = notLong ?? reason;
describe.skipIf(longReason)(`restore on native${longReason ? `: ${longReason}` : ''}`, () => {
  let machine: Machine;
  beforeAll(() => {
    machine = new Machine();
  });
  afterAll(async () => {
    await machine?.coracle('down', '--delete', '--data-dir', path.join(machine.directory, 'n'));
    machine?.dispose();
  });

  test('containers that the restored cluster has keep running, and others are stopped', async () => {
    const on = ['--data-dir', path.join(machine.directory, 'n')];
    const file = path.join(machine.directory, 'native.backup');
    machine.kubeconfig = path.join(machine.directory, 'n/kubeconfig');
    const up = () => machine.coracle('up', ...on, '--port', '7443', '--runtime', 'native', '--proxy-mode', 'userspace');
    const run = async (name: string, seconds: number) => {
      const spec = { terminationGracePeriodSeconds: 1 };
      const container = { name: 'c', image: 'coracle.local/hello', command: ['sleep', String(seconds)] };
      const object = { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { ...spec, containers: [container] } };
      await machine.apply(object);
      await machine.kubectl('wait', `pod/${name}`, '--for=condition=Ready', '--timeout=60s');
    };
    expect((await up()).code).toBe(0);
    await run('kept', 987_601);
    expect((await machine.coracle('backup', 'create', file, ...on)).code).toBe(0);
    await run('later', 987_602);
    const kept = machine.containerProcess('987601');
    process.kill(JSON.parse(readFileSync(path.join(machine.directory, 'n/run.json'), 'utf8')).pid, 'SIGKILL');
    await eventually(async () => {
      const { code, stdout, stderr } = await machine.coracle('restore', file, ...on, '--yes');
      expect(code, `${stdout}${stderr}`).toBe(0);
    });
    const started = await up();
    expect(started.code, `${started.stdout}${started.stderr}`).toBe(0);
    await eventually(() => expect(() => machine.containerProcess('987602')).toThrow(/no container/));
    expect(machine.containerProcess('987601'), 'the same process').toBe(kept);
    expect(
      await machine.kubectl('get', 'pod', 'kept', '-o', 'jsonpath={.status.containerStatuses[0].restartCount}'),
    ).toBe('0');
    expect(await machine.kubectl('get', 'pods', '-o', 'name')).toBe('pod/kept\n');
  });
});
