// Which kernel parameters a pod may set: those of its own namespaces, if they are safe or the administrator allows them.
// https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/

import type { Pod } from '../../api/api.ts';
import type { Refusal } from './refusal.ts';

/** They concern no other pod. */
const safeSysctls = [
  'kernel.shm_rmid_forced',
  ...['ip_local_port_range', 'tcp_syncookies', 'ping_group_range', 'ip_unprivileged_port_start'],
  ...['ip_local_reserved_ports', 'tcp_keepalive_time', 'tcp_fin_timeout', 'tcp_keepalive_intvl'],
  ...['tcp_keepalive_probes', 'tcp_rmem', 'tcp_wmem'],
].map((name) => (name.includes('.') ? name : `net.ipv4.${name}`));

type Namespace = 'Net' | 'IPC';

const ofIpc = /^(kernel\.(sem|shmall|shmmax|shmmni|shm_rmid_forced|shm|msgmax|msgmnb|msgmni|msg)$|fs\.mqueue\.)/;

const namespaceOf = (name: string): Namespace | undefined =>
  name.startsWith('net.') ? 'Net' : ofIpc.test(name) ? 'IPC' : undefined;

const longest = 253;
const segment = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const patternFormat = `(${segment}[\\./])*([a-z0-9][-_a-z0-9]*)?[a-z0-9*]`;
const validPattern = new RegExp(`^${patternFormat}$`);

/** Throws an Error for a name, or a pattern that ends with `*`, that cannot be allowed. */
export function checkSysctlPatterns(patterns: readonly string[]): void {
  for (const pattern of patterns) {
    if (pattern.length > longest || !validPattern.test(pattern))
      throw new Error(
        `sysctl ${JSON.stringify(pattern)} must have at most ${longest} characters and match regex ${patternFormat}`,
      );
    const { name } = parts(pattern);
    if (namespaceOf(name) === undefined)
      throw new Error(`the sysctls ${JSON.stringify(name)} are not known to be namespaced`);
  }
}

function parts(pattern: string): { readonly name: string; readonly isPrefix: boolean } {
  const [name] = normalName(pattern).split('*', 1);
  return { name, isPrefix: pattern.includes('*') };
}

/** `allowed`: names and patterns of --allowed-unsafe-sysctls. */
export function refuseSysctl({ spec }: Pod, allowed: readonly string[]): Refusal | undefined {
  const rules = [...safeSysctls, ...allowed].map(parts);
  for (const sysctl of spec.securityContext?.sysctls ?? []) {
    const name = normalName(sysctl.name);
    const rule = rules.find((each) => (each.isPrefix ? name.startsWith(each.name) : name === each.name));
    const namespace = rule && namespaceOf(rule.name);
    const isShared = namespace === 'Net' ? spec.hostNetwork : spec.hostIPC;
    const why = !rule ? 'not allowlisted' : isShared && `not allowed with host ${namespace} enabled`;
    if (why) return { reason: 'SysctlForbidden', message: `forbidden sysctl: ${JSON.stringify(name)} ${why}` };
  }
  return undefined;
}

/** With dots between its parts: where the first separator is a slash, slashes separate, and dots belong to names. */
function normalName(name: string): string {
  const first = /[./]/.exec(name)?.[0];
  return first === '/' ? name.replace(/[./]/g, (character) => (character === '/' ? '.' : '/')) : name;
}
