// The machine and the container of the tests of runtime-spec.ts.

import type { ImageConfig } from '../../images/image-store.ts';
import type { ContainerConfig, ContainerSecurity, SandboxConfig } from '../../interface.ts';
import { containerConfig, sandboxConfig } from '../../runtime.contract.ts';
import type { OciSpec } from './oci-types.ts';
import { type NodeFacts, runtimeSpec, type SpecInput } from './runtime-spec.ts';

export const passwd = `root:x:0:0:root:/root:/bin/sh
www:x:33:44::/var/www:/bin/false
1000:x:0:0:named like a number:/root:/bin/sh
someone:x:1000:100:::
wrapped:x:4294967296:0:::
# comment:x:7:7:::
`;
export const group = `root:x:0:
www:x:44:
extra:x:55:www,other
shared:x:66:someone,www
1000:x:0:someone
`;

export const node: NodeFacts = {
  cgroupVersion: 1,
  countsSwap: false,
  architecture: 'x64',
  capabilities:
    'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE SYS_ADMIN NET_ADMIN'.split(
      ' ',
    ),
  openFiles: 20_000,
  lowestOomScore: -1000,
  devices: [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0 }],
  throttlingPaths: ['/sys/devices/system/cpu/cpu0/thermal_throttle'],
};

export interface Case {
  readonly config?: Partial<ContainerConfig>;
  readonly security?: Partial<ContainerSecurity>;
  readonly sandbox?: Partial<SandboxConfig>;
  readonly image?: ImageConfig;
  readonly node?: Partial<NodeFacts>;
  readonly seccompText?: string;
  readonly devices?: SpecInput['devices'];
}

export function specOf({ config, security, sandbox, image, node: facts, seccompText, devices }: Case): OciSpec {
  const base = containerConfig({ image: 'x', command: ['run'] });
  return runtimeSpec({
    config: { ...base, ...config, security: { ...base.security, ...security } },
    sandbox: sandboxConfig('/logs', { hostname: 'me', ...sandbox }),
    image: image ?? {},
    accounts: { passwd, group },
    node: { ...node, ...facts },
    namespaces: '/ns',
    shm: '/ns/shm',
    hostname: 'me',
    cgroupsPath: '/kubepods/pod1/abc',
    ...(seccompText !== undefined && { seccompText }),
    ...(devices && { devices }),
  });
}
