// From pod, image and node to the config.json of an OCI runtime. Pure; throws RuntimeError('create') for features that
// the machine lacks.

import { posix } from 'node:path';
import type { ImageConfig } from '../../images/image-store.ts';
import type { ContainerConfig, SandboxConfig } from '../../interface.ts';
import { protectedPaths } from '../../protected-paths.ts';
import { RuntimeError } from '../../runtime-error.ts';
import { capabilitiesOf } from './capabilities.ts';
import type { GivenDevice } from './host-devices.ts';
import { mountPlan } from './mounts.ts';
import type { OciDevice, OciIdMapping, OciSeccomp, OciSpec } from './oci-types.ts';
import { type ResourceFacts, resourcesOf } from './resources.ts';
import { defaultSeccomp, localSeccomp } from './seccomp.ts';
import { type Accounts, resolveUser } from './user.ts';

export interface NodeFacts extends ResourceFacts {
  /** process.arch */
  readonly architecture: string;
  /** Names without CAP_: those of a privileged container. */
  readonly capabilities: readonly string[];
  /** Hard limit of open files. */
  readonly openFiles: number;
  /** The lowest value that this process may set (without CAP_SYS_RESOURCE: its current value). */
  readonly lowestOomScore: number;
  /** The profile for containers that name none; undefined where the machine has no AppArmor. */
  readonly appArmorProfile?: string;
  /** Device nodes of the machine, for privileged containers. */
  readonly devices: readonly OciDevice[];
  readonly throttlingPaths: readonly string[];
}

export interface SpecInput {
  readonly config: ContainerConfig;
  readonly sandbox: SandboxConfig;
  readonly image: ImageConfig;
  readonly accounts: Accounts;
  readonly node: NodeFacts;
  /** Directory with the pod's namespaces, as files: net, uts, ipc, pid, user. */
  readonly namespaces: string;
  /** The process namespace of another container that this one joins, as a file. */
  readonly targetPidNamespace?: string;
  readonly shm: string;
  readonly hostname: string;
  readonly cgroupsPath: string;
  /** The container's devices, as the machine has them. */
  readonly devices?: readonly GivenDevice[];
  /** Text of the file that a Localhost seccomp profile names. */
  readonly seccompText?: string;
}

export function runtimeSpec(input: SpecInput): OciSpec {
  const { config, sandbox, image, node, cgroupsPath } = input;
  const { security, resources, tty } = config;
  const user = resolveUser(input.accounts, image.User ?? '', security);
  const capabilities = capabilitiesOf(security, node.capabilities);
  const capabilityNames = capabilities.map((name) => `CAP_${name}`);
  const idMappings = idMappingsOf(sandbox);
  const paths = protectedPaths(security, node.throttlingPaths);
  const seccomp = seccompOf(input, capabilities);
  const apparmorProfile = appArmorOf(input);
  const { mounts, rootfsPropagation } = mountPlan({
    ...{ mounts: config.mounts, privileged: security.privileged, shm: input.shm },
    ...(idMappings && { idMappings }),
  });
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: tty,
      user: { uid: user.uid, gid: user.gid, additionalGids: user.groups },
      args: commandOf(config, image),
      env: environmentOf(image.Env ?? [], config, user.home, input.hostname),
      cwd: posix.resolve('/', config.workingDir || image.WorkingDir || '/'),
      capabilities: {
        ...{ bounding: capabilityNames, effective: capabilityNames, permitted: capabilityNames },
        ...{ inheritable: [], ambient: [] },
      },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: node.openFiles, soft: node.openFiles }],
      noNewPrivileges: security.noNewPrivileges,
      ...(apparmorProfile !== undefined && { apparmorProfile }),
      ...(resources.oomScoreAdj !== undefined && {
        oomScoreAdj: Math.max(resources.oomScoreAdj, node.lowestOomScore),
      }),
    },
    root: { path: 'rootfs', readonly: security.readOnlyRootFilesystem },
    mounts,
    linux: {
      namespaces: namespacesOf(input),
      ...(idMappings && { uidMappings: idMappings, gidMappings: idMappings }),
      devices: devicesOf(input),
      cgroupsPath,
      resources: resourcesOf(resources, security.privileged, node, input.devices),
      ...(rootfsPropagation && { rootfsPropagation }),
      ...(seccomp && { seccomp }),
      ...{ maskedPaths: paths.masked, readonlyPaths: paths.readOnly },
    },
  };
}

/** A given device replaces the machine's at its path. */
function devicesOf({ config, node, devices = [] }: SpecInput): readonly OciDevice[] {
  const given = new Map(devices.map(({ device }) => [device.path, device]));
  const machine = config.security.privileged ? node.devices.filter(({ path }) => !given.has(path)) : [];
  return [...machine, ...given.values()];
}

function namespacesOf({
  config,
  sandbox,
  node,
  namespaces,
  targetPidNamespace,
}: SpecInput): OciSpec['linux']['namespaces'] {
  const at = (type: string, file: string) => ({ type, path: `${namespaces}/${file}` });
  return [
    { type: 'mount' },
    ...(sandbox.userNamespace ? [at('user', 'user')] : []),
    ...(sandbox.hostNetwork ? [] : [at('network', 'net'), at('uts', 'uts')]),
    ...(sandbox.hostIpc ? [] : [at('ipc', 'ipc')]),
    ...(sandbox.hostPid
      ? []
      : sandbox.sharePid
        ? [at('pid', 'pid')]
        : [{ type: 'pid', ...(targetPidNamespace && { path: targetPidNamespace }) }]),
    ...(node.cgroupVersion === 2 && !config.security.privileged ? [{ type: 'cgroup' }] : []),
  ];
}

function idMappingsOf({ userNamespace }: Pick<SandboxConfig, 'userNamespace'>) {
  if (!userNamespace) return undefined;
  const mapping: OciIdMapping = { containerID: 0, hostID: userNamespace.hostId, size: userNamespace.length };
  return [mapping];
}

/** Privileged containers are unconfined, as in containerd. */
function seccompOf({ config, seccompText, node }: SpecInput, capabilities: readonly string[]): OciSeccomp | undefined {
  const { seccomp = { type: 'Unconfined' }, privileged } = config.security;
  if (privileged || seccomp.type === 'Unconfined') return undefined;
  if (seccomp.type === 'RuntimeDefault') return defaultSeccomp(capabilities, node.architecture);
  return localSeccomp(seccompText ?? '', seccomp.localhostRef ?? '');
}

function appArmorOf({ config, node }: SpecInput): string | undefined {
  const { appArmor, privileged } = config.security;
  if (appArmor?.type === 'Unconfined') return undefined;
  if (node.appArmorProfile === undefined) {
    if (appArmor) throw new RuntimeError('create', 'AppArmor is not enabled on the host');
    return undefined;
  }
  if (appArmor?.type === 'Localhost') return appArmor.localhostRef;
  if (!privileged && node.appArmorProfile === '' && appArmor)
    throw new RuntimeError('create', 'the default AppArmor profile cannot be loaded: apparmor_parser is not installed');
  return privileged || node.appArmorProfile === '' ? undefined : node.appArmorProfile;
}

function commandOf(config: ContainerConfig, { Entrypoint, Cmd }: ImageConfig): readonly string[] {
  // A command of the pod's takes the place of both of the image's; arguments alone that of its Cmd.
  const command =
    config.command.length > 0
      ? [...config.command, ...config.args]
      : [...(Entrypoint ?? []), ...(config.args.length > 0 ? config.args : (Cmd ?? []))];
  if (command.length === 0) throw new RuntimeError('create', 'failed to generate container spec: no command specified');
  return command;
}

/** NAME=value: the image's, then the pod's, then the defaults. */
function environmentOf(imageEnv: readonly string[], config: ContainerConfig, home: string, hostname: string) {
  const env = new Map<string, string>();
  for (const entry of imageEnv) env.set(entry.split('=', 1)[0], entry.slice(entry.indexOf('=') + 1));
  for (const { key, value } of config.env) env.set(key, value);
  const defaults = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: home,
    HOSTNAME: hostname,
    ...(config.tty && { TERM: 'xterm' }),
  };
  for (const [name, value] of Object.entries(defaults)) if (!env.has(name)) env.set(name, value);
  return [...env].map(([name, value]) => `${name}=${value}`);
}
