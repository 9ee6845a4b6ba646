// The checks of the Pod Security Standards, in the order of messages.
// https://kubernetes.io/docs/concepts/security/pod-security-standards/

import type { Container, LifecycleHandler, PodSpec, Probe } from '../../api/api.ts';
import { must } from '../../machinery/must.ts';

export type Level = 'privileged' | 'baseline' | 'restricted';

export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

interface PodLike {
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: PodSpec;
  /** Minor version of the standard; Infinity for the latest. */
  readonly minor: number;
}

interface Check {
  readonly level: 'baseline' | 'restricted';
  /** Minor version that brought it. */
  readonly since?: number;
  /** The baseline check that this one includes: only one of them reports. */
  readonly replaces?: string;
  find(pod: PodLike): Violation | undefined;
}

/** The violations of a level, by the checks of that version. */
export function violations(level: Level, pod: PodLike): Violation[] {
  const asked = Object.entries(checks).filter(
    ([, check]) =>
      level !== 'privileged' &&
      (check.level === 'baseline' || level === 'restricted') &&
      (check.since ?? 0) <= pod.minor,
  );
  const replaced = new Set(asked.map(([, { replaces }]) => replaces));
  return asked.filter(([name]) => !replaced.has(name)).flatMap(([, check]) => check.find(pod) ?? []);
}

const quoted = (values: Iterable<string>) => [...values].map((value) => JSON.stringify(value)).join(', ');
const sortedSet = (values: readonly string[]) => [...new Set(values)].sort();
const plural = (word: string, list: { readonly length: number }) => (list.length === 1 ? word : `${word}s`);
const named = (names: readonly string[]) => `${plural('container', names)} ${quoted(names)}`;

const containersOf = (spec: PodSpec): Container[] => [
  ...(spec.initContainers ?? []),
  ...(spec.containers ?? []),
  ...((spec.ephemeralContainers ?? []) as Container[]),
];
const namesWhere = (spec: PodSpec, holds: (container: Container) => boolean | undefined) =>
  containersOf(spec)
    .filter(holds)
    .map(({ name }) => name);

/** "pod and containers "a", "b"": the pod and containers that set a field. */
const setters = (pod: boolean | undefined, containers: readonly string[]) =>
  [...(pod ? ['pod'] : []), ...(containers.length ? [named(containers)] : [])].join(' and ');

const violation = (reason: string, detail: string): Violation => ({ reason, detail });
/** Since 1.25, checks of Linux features skip Windows pods. */
const isWindows = ({ spec, minor }: PodLike) => minor >= 25 && spec.os?.name === 'windows';
/** Root in a user namespace has no privileges on the host. KEP-127 */
const hasUserNamespace = ({ spec, minor }: PodLike) => minor >= 35 && spec.hostUsers === false;

const appArmorAnnotation = 'container.apparmor.security.beta.kubernetes.io/';
const allowedSeccomp = ['RuntimeDefault', 'Localhost'];
const baselineCapabilities = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  ),
);
/** Name -> minor version since which it is safe. */
const safeSysctls: Readonly<Record<string, number>> = {
  'kernel.shm_rmid_forced': 0,
  'net.ipv4.ip_local_port_range': 0,
  'net.ipv4.tcp_syncookies': 0,
  'net.ipv4.ping_group_range': 0,
  'net.ipv4.ip_unprivileged_port_start': 0,
  'net.ipv4.ip_local_reserved_ports': 27,
  'net.ipv4.tcp_keepalive_time': 29,
  'net.ipv4.tcp_fin_timeout': 29,
  'net.ipv4.tcp_keepalive_intvl': 29,
  'net.ipv4.tcp_keepalive_probes': 29,
  'net.ipv4.tcp_rmem': 32,
  'net.ipv4.tcp_wmem': 32,
};
const unrestrictedVolumes = new Set(
  'configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret'.split(' '),
);

const checks: Readonly<Record<string, Check>> = {
  appArmorProfile: {
    level: 'baseline',
    find({ annotations, spec }) {
      const fine = (type: string | undefined) => !type || type === 'RuntimeDefault' || type === 'Localhost';
      const pod = spec.securityContext?.appArmorProfile?.type;
      const containers = containersOf(spec).filter((c) => !fine(c.securityContext?.appArmorProfile?.type));
      const old = Object.entries(annotations).filter(
        ([key, value]) =>
          key.startsWith(appArmorAnnotation) && value && value !== 'runtime/default' && !value.startsWith('localhost/'),
      );
      const who = [
        setters(
          !fine(pod),
          containers.map(({ name }) => name),
        ),
        ...(old.length ? [`${plural('annotation', old)} ${quoted(old.map(([key]) => key))}`] : []),
      ].filter(Boolean);
      if (!who.length) return undefined;
      const values = sortedSet([
        ...(fine(pod) ? [] : [pod as string]),
        ...containers.map(
          (c) => must(must(c.securityContext, 'securityContext').appArmorProfile, 'appArmorProfile').type,
        ),
        ...old.map(([, value]) => value),
      ]);
      return violation(
        plural('forbidden AppArmor profile', values),
        `${who.join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
      );
    },
  },
  capabilities_baseline: {
    level: 'baseline',
    find({ spec }) {
      const added = (c: Container) =>
        (c.securityContext?.capabilities?.add ?? []).filter((capability) => !baselineCapabilities.has(capability));
      const names = namesWhere(spec, (c) => added(c).length > 0);
      if (!names.length) return undefined;
      const all = sortedSet(containersOf(spec).flatMap(added));
      return violation(
        'non-default capabilities',
        `${named(names)} must not include ${quoted(all)} in securityContext.capabilities.add`,
      );
    },
  },
  hostNamespaces: {
    level: 'baseline',
    find({ spec }) {
      const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field]);
      return used.length ? violation('host namespaces', used.map((field) => `${field}=true`).join(', ')) : undefined;
    },
  },
  hostPathVolumes: {
    level: 'baseline',
    find({ spec }) {
      const names = (spec.volumes ?? []).filter((volume) => volume.hostPath).map(({ name }) => name);
      return names.length ? violation('hostPath volumes', `${plural('volume', names)} ${quoted(names)}`) : undefined;
    },
  },
  hostPorts: {
    level: 'baseline',
    find({ spec }) {
      const portsOf = (c: Container) => (c.ports ?? []).flatMap(({ hostPort }) => (hostPort ? [String(hostPort)] : []));
      const names = namesWhere(spec, (c) => portsOf(c).length > 0);
      if (!names.length) return undefined;
      const ports = sortedSet(containersOf(spec).flatMap(portsOf));
      const verb = names.length === 1 ? 'uses' : 'use';
      return violation('hostPort', `${named(names)} ${verb} ${plural('hostPort', ports)} ${ports.join(', ')}`);
    },
  },
  hostProbesAndHostLifecycle: {
    level: 'baseline',
    since: 34,
    find({ spec }) {
      const names = sortedSet(namesWhere(spec, (c) => hostsOf(c).length > 0));
      if (!names.length) return undefined;
      const hosts = sortedSet(containersOf(spec).flatMap(hostsOf));
      const verb = names.length === 1 ? 'uses' : 'use';
      return violation(
        'probe or lifecycle host',
        `${named(names)} ${verb} ${plural('probe or lifecycle host', hosts)} ${quoted(hosts)}`,
      );
    },
  },
  privileged: {
    level: 'baseline',
    find({ spec }) {
      const names = namesWhere(spec, (c) => c.securityContext?.privileged);
      return names.length
        ? violation('privileged', `${named(names)} must not set securityContext.privileged=true`)
        : undefined;
    },
  },
  procMount: {
    level: 'baseline',
    find(pod) {
      const mountOf = (c: Container) => c.securityContext?.procMount ?? 'Default';
      const names = namesWhere(pod.spec, (c) => mountOf(c) !== 'Default');
      if (!names.length || hasUserNamespace(pod)) return undefined;
      const types = sortedSet(containersOf(pod.spec).map(mountOf)).filter((type) => type !== 'Default');
      return violation('procMount', `${named(names)} must not set securityContext.procMount to ${quoted(types)}`);
    },
  },
  seLinuxOptions: { level: 'baseline', find: seLinuxOptions },
  seccompProfile_baseline: {
    level: 'baseline',
    since: 19,
    find: ({ spec }) => badSeccomp(spec),
  },
  sysctls: {
    level: 'baseline',
    find({ spec, minor }) {
      const names = (spec.securityContext?.sysctls ?? [])
        .map(({ name }) => name)
        .filter((name) => !((safeSysctls[name] ?? Number.POSITIVE_INFINITY) <= Math.min(minor, Number.MAX_VALUE)));
      return names.length ? violation('forbidden sysctls', names.join(', ')) : undefined;
    },
  },
  windowsHostProcess: {
    level: 'baseline',
    find({ spec }) {
      const who = setters(
        spec.securityContext?.windowsOptions?.hostProcess,
        namesWhere(spec, (c) => c.securityContext?.windowsOptions?.hostProcess),
      );
      return who
        ? violation('hostProcess', `${who} must not set securityContext.windowsOptions.hostProcess=true`)
        : undefined;
    },
  },
  allowPrivilegeEscalation: {
    level: 'restricted',
    since: 8,
    find(pod) {
      const names = namesWhere(pod.spec, (c) => c.securityContext?.allowPrivilegeEscalation !== false);
      return names.length && !isWindows(pod)
        ? violation(
            'allowPrivilegeEscalation != false',
            `${named(names)} must set securityContext.allowPrivilegeEscalation=false`,
          )
        : undefined;
    },
  },
  capabilities_restricted: {
    level: 'restricted',
    since: 22,
    replaces: 'capabilities_baseline',
    find(pod) {
      if (isWindows(pod)) return undefined;
      const capabilities = (c: Container) => c.securityContext?.capabilities ?? {};
      const added = (c: Container) => (capabilities(c).add ?? []).filter((name) => name !== 'NET_BIND_SERVICE');
      const keep = namesWhere(pod.spec, (c) => !capabilities(c).drop?.includes('ALL'));
      const add = namesWhere(pod.spec, (c) => added(c).length > 0);
      const details = [
        ...(keep.length ? [`${named(keep)} must set securityContext.capabilities.drop=["ALL"]`] : []),
        ...(add.length
          ? [
              `${named(add)} must not include ${quoted(sortedSet(containersOf(pod.spec).flatMap(added)))} in securityContext.capabilities.add`,
            ]
          : []),
      ];
      return details.length ? violation('unrestricted capabilities', details.join('; ')) : undefined;
    },
  },
  restrictedVolumes: {
    level: 'restricted',
    replaces: 'hostPathVolumes',
    find({ spec }) {
      const typeOf = (volume: object) => Object.keys(volume).find((key) => key !== 'name') ?? 'unknown';
      const bad = (spec.volumes ?? []).filter((volume) => !unrestrictedVolumes.has(typeOf(volume)));
      if (!bad.length) return undefined;
      const types = sortedSet(bad.map(typeOf));
      const verb = bad.length === 1 ? 'uses' : 'use';
      return violation(
        'restricted volume types',
        `${plural('volume', bad)} ${quoted(bad.map(({ name }) => name))} ${verb} ${plural('restricted volume type', types)} ${quoted(types)}`,
      );
    },
  },
  runAsNonRoot: { level: 'restricted', find: runAsNonRoot },
  runAsUser: {
    level: 'restricted',
    since: 23,
    find(pod) {
      const { spec } = pod;
      const who = setters(
        spec.securityContext?.runAsUser === 0,
        namesWhere(spec, (c) => c.securityContext?.runAsUser === 0),
      );
      return who && !hasUserNamespace(pod) ? violation('runAsUser=0', `${who} must not set runAsUser=0`) : undefined;
    },
  },
  seccompProfile_restricted: {
    level: 'restricted',
    since: 19,
    replaces: 'seccompProfile_baseline',
    find(pod) {
      const { spec } = pod;
      const bad = badSeccomp(spec);
      if (bad || isWindows(pod)) return bad;
      if (spec.securityContext?.seccompProfile) return undefined;
      const names = namesWhere(spec, (c) => !c.securityContext?.seccompProfile);
      return names.length
        ? violation(
            'seccompProfile',
            `pod or ${named(names)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
          )
        : undefined;
    },
  },
};

function hostsOf({ livenessProbe, readinessProbe, startupProbe, lifecycle }: Container): string[] {
  const handlers: (Probe | LifecycleHandler | undefined)[] = [
    livenessProbe,
    readinessProbe,
    startupProbe,
    lifecycle?.postStart,
    lifecycle?.preStop,
  ];
  return handlers.flatMap((handler) =>
    [handler?.httpGet?.host, handler?.tcpSocket?.host].filter((host) => !!host),
  ) as string[];
}

function badSeccomp(spec: PodSpec): Violation | undefined {
  const typeOf = (context: { seccompProfile?: { type: string } } | undefined) => context?.seccompProfile?.type;
  const isBad = (type: string | undefined) => type !== undefined && !allowedSeccomp.includes(type);
  const pod = typeOf(spec.securityContext);
  const containers = containersOf(spec).filter((c) => isBad(typeOf(c.securityContext)));
  const who = setters(
    isBad(pod),
    containers.map(({ name }) => name),
  );
  if (!who) return undefined;
  const types = sortedSet([
    ...(isBad(pod) ? [pod as string] : []),
    ...containers.map((c) => typeOf(c.securityContext) as string),
  ]);
  return violation('seccompProfile', `${who} must not set securityContext.seccompProfile.type to ${quoted(types)}`);
}

function seLinuxOptions({ spec, minor }: PodLike): Violation | undefined {
  const allowed = [
    '',
    'container_t',
    'container_init_t',
    'container_kvm_t',
    ...(minor >= 31 ? ['container_engine_t'] : []),
  ];
  const optionsOf = (holder: { securityContext?: Container['securityContext'] | PodSpec['securityContext'] }) =>
    holder.securityContext?.seLinuxOptions ?? {};
  const isBad = ({ type = '', user, role }: ReturnType<typeof optionsOf>) =>
    !allowed.includes(type) || !!user || !!role;
  const holders = [spec, ...containersOf(spec)].map(optionsOf).filter(isBad);
  if (!holders.length) return undefined;
  const who = setters(
    isBad(optionsOf(spec)),
    namesWhere(spec, (c) => isBad(optionsOf(c))),
  );
  const types = sortedSet(holders.map(({ type = '' }) => type).filter((type) => !allowed.includes(type)));
  const faults = [
    ...(types.length ? [`${plural('type', types)} ${quoted(types)}`] : []),
    ...(holders.some(({ user }) => user) ? ['user may not be set'] : []),
    ...(holders.some(({ role }) => role) ? ['role may not be set'] : []),
  ];
  return violation('seLinuxOptions', `${who} set forbidden securityContext.seLinuxOptions: ${faults.join('; ')}`);
}

function runAsNonRoot(pod: PodLike): Violation | undefined {
  if (hasUserNamespace(pod)) return undefined;
  const { spec } = pod;
  const reason = 'runAsNonRoot != true';
  const who = setters(
    spec.securityContext?.runAsNonRoot === false,
    namesWhere(spec, (c) => c.securityContext?.runAsNonRoot === false),
  );
  if (who) return violation(reason, `${who} must not set securityContext.runAsNonRoot=false`);
  if (spec.securityContext?.runAsNonRoot) return undefined;
  const names = namesWhere(spec, (c) => c.securityContext?.runAsNonRoot === undefined);
  return names.length
    ? violation(reason, `pod or ${named(names)} must set securityContext.runAsNonRoot=true`)
    : undefined;
}
