import { describe, expect, test } from 'vitest';
import { capabilitiesOfMask } from './capabilities.ts';
import { numbersOf } from './device-numbers.ts';
import { abilitiesOf, cgroupLayout, findOciRuntime, problemOf } from './oci-runtime.ts';

describe('choosing an OCI runtime', () => {
  test.each([
    { mounts: 'cgroup2 /sys/fs/cgroup cgroup2 rw 0 0', layout: 'v2' },
    { mounts: 'cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0', layout: 'v1' },
    {
      mounts: 'cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0',
      layout: 'hybrid',
    },
  ])('the layout of cgroups: $layout', ({ mounts, layout }) => expect(cgroupLayout(mounts)).toBe(layout));

  test.each([
    { name: 'crun', version: '1.8.1', layout: 'v2', problem: undefined },
    { name: 'crun', version: '1.8.1', layout: 'v1', problem: 'runc is needed with cgroup v1' },
    { name: 'crun', version: '1.8.1', layout: 'hybrid', problem: 'crun does not support hybrid cgroups' },
    { name: 'runc', version: '1.1.5+ds1', layout: 'hybrid', problem: undefined },
    { name: 'runc', version: '1.10.0', layout: 'v2', problem: undefined },
    { name: 'runc', version: '1.0.3', layout: 'v2', problem: 'version 1.0.3 is older than 1.1' },
    { name: 'crun', version: '0.17', layout: 'v2', problem: 'version 0.17 is older than 1.0' },
  ] as const)('$name $version with cgroups of $layout', ({ name, version, layout, problem }) => {
    const found = problemOf({ name, version, path: '', ...abilitiesOf(name, version) }, layout);
    if (problem === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(problem);
  });

  test('a path that is no OCI runtime is refused with a reason', async () => {
    expect(await findOciRuntime('/bin/true')).toEqual({ refused: ['/bin/true: neither crun nor runc'] });
    expect(await findOciRuntime('/nosuch')).toEqual({ refused: ['/nosuch: cannot be run'] });
  });
});

test('capabilities by the bits of a mask', () => {
  expect(capabilitiesOfMask('0000000000000401')).toEqual(['CHOWN', 'NET_BIND_SERVICE']);
  expect(capabilitiesOfMask('000001ffffffffff')).toHaveLength(41);
});

test('the two numbers of a device', () => {
  expect(numbersOf(0x0103)).toEqual({ major: 1, minor: 3 });
  expect(numbersOf(0x10fd2c)).toEqual({ major: 253, minor: 300 });
});
