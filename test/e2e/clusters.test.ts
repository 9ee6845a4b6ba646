// Two real clusters on one machine, and images loaded from files.

import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { longTest } from '../long/long.ts';
import { busyboxArchive } from './busybox-archive.ts';
import { checkout, eventually, Machine, whyNot } from './machine.ts';

const reason = whyNot('/usr/sbin/nft', '/bin/busybox');

describe.skipIf(reason)(`clusters on one machine${reason ? `: ${reason}` : ''}`, () => {
  let machine: Machine;
  const place = (name: string) => path.join(machine.directory, name);
  const kubectl = async (cluster: string, ...args: string[]) => {
    const result = await machine.run(path.join(checkout, '.cache/tools/kubectl'), args, {
      env: { KUBECONFIG: place(`${cluster}/kubeconfig`) },
    });
    expect(result.code, `kubectl ${args.join(' ')}\n${result.stderr}`).toBe(0);
    return result.stdout;
  };
  const up = async (name: string) => {
    const result = await machine.coracle('up', '--data-dir', place(name), '--port', '0', '--proxy-mode', 'nftables');
    expect(result.code, `${result.stdout}${result.stderr}`).toBe(0);
  };
  const ranges = (name: string) => JSON.parse(readFileSync(place(`${name}/network.json`), 'utf8'));
  const clusterIP = (name: string) => kubectl(name, 'get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}');

  beforeAll(async () => {
    machine = new Machine();
    await Promise.all([up('a'), up('b')]);
  });
  afterAll(async () => {
    // Also removes the state of a failed test: `down` removes the cgroups, which the test machine shares with the host.
    for (const name of ['a', 'b', 'c']) await machine?.coracle('down', '--delete', '--data-dir', place(name));
    machine?.dispose();
  });

  test('they have different ranges, bridges, rules and kubelet ports', async () => {
    expect(ranges('a').clusterCidr).not.toBe(ranges('b').clusterCidr);
    expect(ranges('a').serviceCidr).not.toBe(ranges('b').serviceCidr);
    const { stdout } = await machine.run('nft', ['list', 'tables']);
    expect(stdout.match(/^table ip coracle-/gm)).toHaveLength(2);
    const port = (name: string) =>
      kubectl(name, 'get', 'nodes', '-o', 'jsonpath={.items[0].status.daemonEndpoints.kubeletEndpoint.Port}');
    expect(await port('a')).not.toBe(await port('b'));
  });

  test('each serves its own pods', async () => {
    for (const name of ['a', 'b']) {
      await kubectl(name, 'create', 'deployment', 'web', '--image=coracle.local/hello');
      await kubectl(name, 'set', 'env', 'deployment/web', `NODE_NAME=cluster-${name}`);
      await kubectl(name, 'expose', 'deployment', 'web', '--port=80', '--target-port=8080');
      await kubectl(name, 'rollout', 'status', 'deployment/web', '--timeout=60s');
    }
    for (const name of ['a', 'b']) {
      const ip = await clusterIP(name);
      await eventually(async () =>
        expect((await machine.curl(`http://${ip}`)).stdout).toContain(`Node: cluster-${name}`),
      );
      const inside = await kubectl(name, 'exec', 'deploy/web', '--', 'wget', '-q', '-T', '3', '-O', '-', 'http://web');
      expect(inside).toContain(`Node: cluster-${name}`);
    }
  });

  longTest('removing one does not affect the other, which keeps its ranges over a restart', async () => {
    const kept = ranges('b');
    expect((await machine.coracle('down', '--delete', '--data-dir', place('a'))).code).toBe(0);
    const ip = await clusterIP('b');
    expect((await machine.curl(`http://${ip}`)).stdout).toContain('Node: cluster-b');
    expect((await machine.coracle('down', '--data-dir', place('b'))).code).toBe(0);
    await up('b');
    expect(ranges('b')).toEqual(kept);
    expect(await clusterIP('b')).toBe(ip);
    await eventually(async () => expect((await machine.curl(`http://${ip}`)).stdout).toContain('Node: cluster-b'));
  });

  longTest('two nodes on one machine reach each other', async () => {
    const result = await machine.coracle('up', '--data-dir', place('c'), '--port', '0', '--nodes', '2');
    expect(result.code, `${result.stdout}${result.stderr}`).toBe(0);
    await kubectl('c', 'create', 'deployment', 'web', '--image=coracle.local/hello', '--replicas=4');
    await kubectl('c', 'rollout', 'status', 'deployment/web', '--timeout=60s');
    await kubectl('c', 'expose', 'deployment', 'web', '--port=80', '--target-port=8080');
    const pods = JSON.parse(await kubectl('c', 'get', 'pods', '-o', 'json')).items as {
      metadata: { name: string };
      spec: { nodeName: string };
      status: { podIP: string };
    }[];
    expect(new Set(pods.map((pod) => pod.spec.nodeName)).size).toBe(2);
    const other = pods.find((pod) => pod.spec.nodeName !== pods[0].spec.nodeName)!;
    const from = (url: string) =>
      kubectl('c', 'exec', pods[0].metadata.name, '--', 'wget', '-q', '-T', '3', '-O', '-', url);
    expect(await from(`http://${other.status.podIP}:8080`)).toContain(`Hello from pod ${other.metadata.name}`);
    await eventually(async () => expect(await from('http://web')).toContain(`Hello from pod ${other.metadata.name}`));
    expect(await kubectl('c', 'logs', other.metadata.name)).toContain('listens on port');
    expect((await machine.coracle('down', '--delete', '--data-dir', place('c'))).code).toBe(0);
  });

  describe('images', () => {
    const image = (...args: string[]) => machine.coracle('image', ...args, '--data-dir', place('b'));
    const names = async () =>
      (JSON.parse((await image('ls', '--output', 'json')).stdout) as { repoTags: string[] }[]).flatMap(
        (i) => i.repoTags,
      );

    test('an archive is loaded, listed, run and removed', async () => {
      const loaded = await image('load', busyboxArchive(machine.directory, 'example.test/busybox:1'));
      expect(loaded).toMatchObject({ code: 0, stdout: 'loaded example.test/busybox:1\n' });
      expect(await names()).toContain('example.test/busybox:1');
      expect((await image('ls')).stdout).toMatch(/^example\.test\/busybox:1 +[0-9a-f]{12} +\d+ MB$/m);
      await kubectl(
        'b',
        'run',
        'box',
        '--image=example.test/busybox:1',
        '--restart=Never',
        '--',
        'sh',
        '-c',
        'echo from the box; sleep 600',
      );
      await eventually(async () => expect(await kubectl('b', 'logs', 'box')).toBe('from the box\n'));
      const refused = await image('rm', 'example.test/busybox:1');
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/is in use by container/) });
      await kubectl('b', 'delete', 'pod', 'box', '--now');
      expect(await image('rm', 'example.test/busybox:1')).toMatchObject({ code: 0 });
      expect(await names()).not.toContain('example.test/busybox:1');
      expect(await image('rm', 'example.test/busybox:1')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('no such image'),
      });
    });

    test.each([
      [
        'is cut off',
        (file: string) => truncateSync(file, Math.floor(statSync(file).size / 2)),
        /damaged|unexpected end/i,
      ],
      ['has other contents than its digests say', (file: string) => patch(file), /is damaged: .*digest/],
      ['is none', (file: string) => writeFileSync(file, 'no archive at all'), /no image archive|damaged/],
    ])('an archive that %s is refused and leaves no files', async (_, damage, says) => {
      const before = files(place('b/images'));
      const file = busyboxArchive(machine.directory, 'example.test/damaged:1');
      damage(file);
      const result = await image('load', file);
      expect(result).toMatchObject({ code: 1, stderr: expect.stringMatching(says) });
      expect(result.stderr).not.toContain('at ');
      expect(await names()).not.toContain('example.test/damaged:1');
      expect(files(place('b/images'))).toEqual(before);
    });

    test('an archive that does not exist', async () => {
      const result = await image('load', place('none.tar'));
      expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining(place('none.tar')) });
    });
  });

  /** Changes a byte in the middle, which is in the layer. */
  function patch(file: string): void {
    const bytes = readFileSync(file);
    bytes[Math.floor(bytes.length / 2)] ^= 0xff;
    writeFileSync(file, bytes);
  }

  const files = (directory: string): string[] =>
    (readdirSync(directory, { recursive: true }) as string[]).filter((name) => !name.startsWith('snapshots')).sort();
});
