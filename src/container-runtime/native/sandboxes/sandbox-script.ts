// The shell script that makes a pod's namespaces and binds them to files. One script, because each process takes time.

import { join } from 'node:path';
import type { SandboxConfig } from '../../interface.ts';
import { quote } from '../../processes/process.ts';
import { RuntimeError } from '../../runtime-error.ts';

interface Network {
  /** A script and commands for `ip` in the pod's namespace, and a script for the machine's. */
  readonly settings: string;
  readonly inside: string;
  readonly outside: string;
}

/** Throws RuntimeError('sandbox') for a sysctl that affects more than the pod. */
export function sandboxScript(directory: string, config: SandboxConfig, hostname: string, network?: Network): string {
  const kinds = [...(config.hostNetwork ? [] : ['net', 'uts']), ...(config.hostIpc ? [] : ['ipc'])];
  const files = kinds.map((kind) => quote(join(directory, kind)));
  const inside = [
    config.hostNetwork ? '' : `printf %s ${quote(hostname)} >/proc/sys/kernel/hostname || exit 1`,
    network?.settings ?? '',
    sysctlScript(config),
    network ? `exec ip -batch - <<'END'\n${network.inside}END\n` : '',
  ].join('\n');
  const script: string[] = [];
  if (!config.hostIpc) {
    const options = 'nosuid,nodev,noexec,mode=1777,size=64m';
    script.push(`mount -n -t tmpfs -o ${options} shm ${quote(join(directory, 'shm'))} & shm=$!`);
  }
  if (kinds.length > 0) {
    script.push(`: >${files.join(' && : >')}`);
    script.push(
      config.userNamespace
        ? userNamespaceScript(directory, kinds, config.userNamespace, inside)
        : `unshare ${kinds.map((kind, i) => `--${kind}=${files[i]}`).join(' ')} sh -c ${quote(inside)} || exit 1`,
    );
  }
  if (network) script.push(network.outside.trimEnd());
  if (!config.hostIpc) script.push('wait $shm || exit 1');
  return script.join('\n');
}

/**
 * The pod's other namespaces belong to its user namespace: a process makes them, and waits in all of them until its ids
 * are mapped and the namespaces are bound to files.
 */
function userNamespaceScript(
  directory: string,
  kinds: readonly string[],
  { hostId, length }: { readonly hostId: number; readonly length: number },
  inside: string,
): string {
  const all = ['user', ...kinds];
  const bind = all.map((kind) => {
    const file = quote(join(directory, kind));
    return `: >${file} && mount -n --bind /proc/$holder/ns/${kind} ${file} || exit 1`;
  });
  const enter = kinds.map((kind) => `--${kind}=${quote(join(directory, kind))}`).join(' ');
  return `unshare ${all.map((kind) => `--${kind}`).join(' ')} sleep 60 & holder=$!
tries=0
until [ "$(readlink /proc/$holder/ns/user)" != "$(readlink /proc/$$/ns/user)" ]; do
  tries=$((tries+1)); [ $tries -lt 500 ] || exit 1; sleep 0.01
done
for map in uid_map gid_map; do echo "0 ${hostId} ${length}" >/proc/$holder/$map || exit 1; done
${bind.join('\n')}
kill $holder
nsenter ${enter} sh -c ${quote(inside)} || exit 1`;
}

/** Values that belong to the namespaces that the script runs in. */
function sysctlScript(config: SandboxConfig): string {
  return Object.entries(config.sysctls ?? {})
    .map(([given, value]) => {
      const name = given.replaceAll('/', '.');
      checkSysctl(name, config);
      return `printf %s ${quote(value)} >${quote(`/proc/sys/${name.replaceAll('.', '/')}`)} || exit 1`;
    })
    .join('\n');
}

const ofIpc =
  /^(kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced|msg_next_id|sem_next_id|shm_next_id)|fs\.mqueue\.[a-z_]+)$/;
const ofNetwork = /^net(\.[a-z0-9_-]+)+$/i;

function checkSysctl(name: string, { hostIpc, hostNetwork }: SandboxConfig): void {
  const refuse = (why: string): never => {
    throw new RuntimeError('sandbox', `sysctl ${JSON.stringify(name)} ${why}`);
  };
  if (ofIpc.test(name)) return hostIpc ? refuse('not allowed with host ipc enabled') : undefined;
  if (ofNetwork.test(name)) return hostNetwork ? refuse('not allowed with host net enabled') : undefined;
  refuse('is not in a separate kernel namespace');
}
