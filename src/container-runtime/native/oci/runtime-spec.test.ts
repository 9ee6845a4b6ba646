import { describe, expect, test } from 'vitest';
import type { ContainerConfig, ContainerSecurity } from '../../interface.ts';
import type { NodeFacts } from './runtime-spec.ts';
import { type Case, specOf } from './test-spec.ts';

describe('the user of a container', () => {
  const cases: { case: string; security?: Partial<ContainerSecurity>; user?: string; is: string }[] = [
    { case: 'root without any setting', is: '0:0 [0]' },
    { case: 'the image names one', user: 'www', is: '33:44 [44,55,66]' },
    { case: 'the image gives a number, its group comes from passwd', user: '33', is: '33:44 [44,55,66]' },
    { case: 'the image gives user and group', user: '33:66', is: '33:66 [66,55]' },
    { case: 'the image names a group', user: 'www:extra', is: '33:55 [55,66]' },
    { case: 'a number that passwd does not know', user: '4711', is: '4711:0 [0]' },
    { case: 'zeros in front change nothing', user: '00', is: '0:0 [0]' },
    { case: 'an entry named like the number never counts', user: '1000', is: '1000:100 [100,66,0]' },
    { case: 'nor for the pod', security: { runAsUser: 1000 }, is: '1000:100 [100,66,0]' },
    { case: 'the pod overrules the image', security: { runAsUser: 33 }, user: 'root:root', is: '33:44 [44,55,66]' },
    { case: 'the pod gives the group', security: { runAsUser: 5, runAsGroup: 6 }, user: 'www', is: '5:6 [6]' },
    { case: 'the pod gives the group alone', security: { runAsGroup: 6 }, user: 'www', is: '33:6 [6,55,66]' },
    {
      case: 'groups of the pod are added',
      security: { supplementalGroups: [7, 55] },
      user: 'www',
      is: '33:44 [44,55,66,7]',
    },
    {
      case: 'Strict: the image gives no groups',
      security: { supplementalGroups: [7], supplementalGroupsPolicy: 'Strict' },
      user: 'www',
      is: '33:44 [44,7]',
    },
  ];
  test.each(cases)('$case', ({ security = {}, user, is }) => {
    const { uid, gid, additionalGids } = specOf({ security, image: { ...(user && { User: user }) } }).process.user;
    expect(`${uid}:${gid} [${additionalGids}]`).toBe(is);
  });

  test.each([
    { user: 'nobody-here', says: 'unable to find user nobody-here: no matching entries in passwd file' },
    { user: 'www:nogroup', says: 'unable to find group nogroup: no matching entries in group file' },
    { user: '4294967296', says: 'invalid user id of "4294967296"' },
    { user: 'wrapped', says: 'invalid user id of "wrapped"' },
    { user: '33:4294967296', says: 'invalid group id of "4294967296"' },
    { user: '+0', says: 'unable to find user +0' },
    { user: '-1', says: 'unable to find user -1' },
  ])('$user is refused', ({ user, says }) => {
    expect(() => specOf({ image: { User: user } })).toThrow(says);
  });
});

describe('namespaces', () => {
  const typesOf = (given: Case) =>
    specOf(given)
      .linux.namespaces.map(({ type, path }) => (path ? `${type}=${path}` : type))
      .join(' ');
  const pod = 'network=/ns/net uts=/ns/uts ipc=/ns/ipc';
  test.each<{ case: string; given: Case; are: string }>([
    { case: "the pod's, and its own processes", given: {}, are: `mount ${pod} pid` },
    { case: 'shared processes', given: { sandbox: { sharePid: true } }, are: `mount ${pod} pid=/ns/pid` },
    { case: "the host's processes", given: { sandbox: { hostPid: true, sharePid: true } }, are: `mount ${pod}` },
    { case: "the host's network", given: { sandbox: { hostNetwork: true } }, are: 'mount ipc=/ns/ipc pid' },
    { case: "the host's ipc", given: { sandbox: { hostIpc: true } }, are: 'mount network=/ns/net uts=/ns/uts pid' },
    { case: 'cgroup v2 has one for cgroups', given: { node: { cgroupVersion: 2 } }, are: `mount ${pod} pid cgroup` },
    {
      case: 'but not when privileged',
      given: { node: { cgroupVersion: 2 }, security: { privileged: true } },
      are: `mount ${pod} pid`,
    },
    {
      case: 'a user namespace',
      given: { sandbox: { userNamespace: { hostId: 65_536, length: 65_536 } } },
      are: `mount user=/ns/user ${pod} pid`,
    },
  ])('$case', ({ given, are }) => expect(typesOf(given)).toBe(are));

  test('with a user namespace, ids are mapped, also in volumes', () => {
    const mappings = [{ containerID: 0, hostID: 131_072, size: 65_536 }];
    const mounts = [{ hostPath: '/v', containerPath: '/data', readOnly: false }];
    const { linux, mounts: all } = specOf({
      config: { mounts },
      sandbox: { userNamespace: { hostId: 131_072, length: 65_536 } },
    });
    expect(linux).toMatchObject({ uidMappings: mappings, gidMappings: mappings });
    expect(all.at(-1)).toMatchObject({ destination: '/data', uidMappings: mappings, gidMappings: mappings });
    expect(all.find(({ destination }) => destination === '/dev/shm')).not.toHaveProperty('uidMappings');
  });
});

describe('mounts', () => {
  const volume = (containerPath: string, more = {}) => ({ hostPath: '/v', containerPath, readOnly: false, ...more });
  const optionsOf = (given: Case, destination: string) =>
    specOf(given).mounts.find((mount) => mount.destination === destination)?.options;

  test('/sys and its cgroups are read-only, unless privileged', () => {
    for (const path of ['/sys', '/sys/fs/cgroup']) {
      expect(optionsOf({}, path)).toContain('ro');
      expect(optionsOf({ security: { privileged: true } }, path)).toContain('rw');
    }
  });

  test('volumes: access, propagation, recursive read-only', () => {
    const mounts = [
      volume('/a'),
      volume('/b', { readOnly: true, propagation: 'hostToContainer' }),
      volume('/c', { readOnly: true, recursiveReadOnly: true }),
      volume('/d', { propagation: 'bidirectional' }),
    ];
    const given = { config: { mounts } };
    expect(['/a', '/b', '/c', '/d'].map((path) => optionsOf(given, path)?.join())).toEqual([
      'rbind,rprivate,rw',
      'rbind,rslave,ro',
      'rbind,rprivate,rro',
      'rbind,rshared,rw',
    ]);
    expect(specOf(given).linux.rootfsPropagation).toBe('rshared');
    expect(specOf({ config: { mounts: mounts.slice(0, 2) } }).linux.rootfsPropagation).toBe('rslave');
    expect(specOf({ config: { mounts: mounts.slice(0, 1) } }).linux).not.toHaveProperty('rootfsPropagation');
  });

  test.each(['/proc', '/proc/', '/proc/self/exe', '/proc/1/root/tmp', '/x/../proc/sys', '/proc/sys/kernel'])(
    'a volume at %s is refused',
    (path) => {
      expect(() => specOf({ config: { mounts: [volume(path)] } })).toThrow('it is inside /proc');
    },
  );

  test('except /proc itself, and files replaced there', () => {
    const mounts = [volume('/proc/cpuinfo'), volume('/proc', { hostPath: '/proc' }), volume('/procfs')];
    expect(() => specOf({ config: { mounts } })).not.toThrow();
  });

  test('outer directories come first, and a volume takes the place of a default mount', () => {
    const mounts = [volume('/data/in/../deep'), volume('/data/'), volume('/dev/shm')];
    const destinations = specOf({ config: { mounts } }).mounts.map(({ destination }) => destination);
    expect(destinations.slice(-3)).toEqual(['/data', '/data/deep', '/dev/shm']);
    expect(destinations.filter((path) => path === '/dev/shm')).toHaveLength(1);
    const inDev = specOf({ config: { mounts: [volume('/dev')] } }).mounts.map(({ destination }) => destination);
    expect(inDev.filter((path) => path.startsWith('/dev'))).toEqual(['/dev']);
  });
});

describe('resources', () => {
  const resourcesOf = (resources: ContainerConfig['resources'], facts: Partial<NodeFacts> = {}) =>
    specOf({ config: { resources }, node: facts }).linux.resources;
  test.each([
    { case: 'none', given: {}, are: { cpu: {} } },
    {
      case: 'CPU',
      given: { cpuShares: 512, cpuQuota: 50_000, cpuPeriod: 100_000 },
      are: { cpu: { shares: 512, quota: 50_000, period: 100_000 } },
    },
    { case: 'no quota', given: { cpuQuota: 0 }, are: { cpu: { quota: -1 } } },
    { case: 'memory', given: { memoryLimitBytes: 1024 }, are: { memory: { limit: 1024 } } },
    {
      case: 'memory without swap',
      given: { memoryLimitBytes: 1024 },
      node: { countsSwap: true },
      are: { memory: { limit: 1024, swap: 1024 } },
    },
    { case: 'processes', given: { pidsLimit: 10 }, are: { pids: { limit: 10 } } },
    {
      case: 'cgroup v2',
      given: {},
      node: { cgroupVersion: 2 } as const,
      are: { unified: { 'memory.oom.group': '1' } },
    },
  ])('$case', ({ given, node: facts, are }) => expect(resourcesOf(given, facts)).toMatchObject(are));

  test('the out-of-memory score is not lower than this process may set', () => {
    const score = (lowestOomScore: number) =>
      specOf({ config: { resources: { oomScoreAdj: -997 } }, node: { lowestOomScore } }).process.oomScoreAdj;
    expect([score(-1000), score(0)]).toEqual([-997, 0]);
  });
});

describe('the process', () => {
  const image = { Entrypoint: ['entry'], Cmd: ['cmd'], Env: ['A=image', 'B=b=c'], WorkingDir: 'work' };
  test.each([
    { case: "the image's own", config: { command: [] }, args: ['entry', 'cmd'] },
    { case: 'arguments', config: { command: [], args: ['x'] }, args: ['entry', 'x'] },
    { case: 'a command', config: { command: ['x'] }, args: ['x'] },
    { case: 'both', config: { command: ['x'], args: ['y'] }, args: ['x', 'y'] },
  ])('command: $case', ({ config, args }) => expect(specOf({ config, image }).process.args).toEqual(args));

  test('environment: the image, the pod, then the defaults', () => {
    const env = [{ key: 'A', value: 'pod' }];
    expect(specOf({ config: { env, tty: true }, image }).process.env).toEqual([
      'A=pod',
      'B=b=c',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'HOME=/root',
      'HOSTNAME=me',
      'TERM=xterm',
    ]);
  });

  test('directory, terminal, open files, new privileges, root', () => {
    const given = {
      config: { tty: true },
      security: { noNewPrivileges: true, readOnlyRootFilesystem: true },
      image,
    };
    expect(specOf(given)).toMatchObject({
      process: {
        cwd: '/work',
        terminal: true,
        noNewPrivileges: true,
        rlimits: [{ type: 'RLIMIT_NOFILE', hard: 20_000, soft: 20_000 }],
      },
      root: { path: 'rootfs', readonly: true },
    });
    expect(specOf({ config: { workingDir: '/x' }, image }).process.cwd).toBe('/x');
  });

  test('no command is refused', () => {
    expect(() => specOf({ config: { command: [] } })).toThrow('no command specified');
  });
});
