// Files of a container beside its volumes: /etc/hosts and the termination message.

import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Pod } from '../../api/api.ts';
import type { Mount } from '../../container-runtime/container-runtime.ts';
import { podDirectory, terminationLogPath } from '../files/pod-paths.ts';
import type { ContainerInputs } from './container-inputs.ts';
import { domainOf, hostnameOf } from './host-names.ts';

/** Creates the files. `mounts` are the container's others, which may have /etc/hosts. */
export async function containerFiles(
  inputs: ContainerInputs,
  mounts: readonly Mount[],
  { rootDirectory, clusterDomain }: { readonly rootDirectory: string; readonly clusterDomain: string },
): Promise<readonly Mount[]> {
  const directory = podDirectory(rootDirectory, inputs.pod.metadata.uid);
  const hasHosts = mounts.some((m) => m.containerPath === '/etc/hosts');
  const hosts = hasHosts ? [] : [await hostsMount(inputs, directory, clusterDomain)];
  return [...hosts, await terminationLogMount(inputs, directory)];
}

/** https://kubernetes.io/docs/tasks/network/customize-hosts-file-for-pods/ */
async function hostsMount({ pod, podIPs }: ContainerInputs, directory: string, clusterDomain: string): Promise<Mount> {
  const hostPath = path.join(directory, 'etc-hosts');
  const text = pod.spec.hostNetwork
    ? `# Kubernetes-managed hosts file (host network).\n${await readFile('/etc/hosts', 'utf8').catch(() => '')}`
    : `# Kubernetes-managed hosts file.\n${podHosts(pod, podIPs, clusterDomain)}`;
  const aliases = (pod.spec.hostAliases ?? []).map((alias) => [alias.ip, ...(alias.hostnames ?? [])].join('\t'));
  const added = aliases.length > 0 ? `\n# Entries added by HostAliases.\n${aliases.join('\n')}\n` : '';
  await mkdir(directory, { recursive: true, mode: 0o750 });
  await writeFile(hostPath, text + added, { mode: 0o644 });
  return { hostPath, containerPath: '/etc/hosts', readOnly: false, origin: 'kubelet' };
}

function podHosts(pod: Pod, podIPs: readonly string[], clusterDomain: string): string {
  const domain = domainOf(pod, clusterDomain);
  const lines = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...podIPs.map((ip) => [ip, domain, hostnameOf(pod)].filter(Boolean).join('\t')),
  ];
  return `${lines.join('\n')}\n`;
}

async function terminationLogMount({ container, attempt }: ContainerInputs, directory: string): Promise<Mount> {
  const hostPath = terminationLogPath(directory, container.name, attempt);
  await mkdir(path.dirname(hostPath), { recursive: true, mode: 0o750 });
  await writeFile(hostPath, '', { mode: 0o666 });
  await chmod(hostPath, 0o666); // any user of the container may write
  const containerPath = container.terminationMessagePath ?? '/dev/termination-log';
  return { hostPath, containerPath, readOnly: false, origin: 'kubelet' };
}
