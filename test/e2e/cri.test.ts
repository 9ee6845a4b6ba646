import { describe, test } from 'vitest';
import { containerdPrograms, startContainerd } from './containerd.ts';
import { whyNot } from './machine.ts';
import { mainJob } from './main-job.ts';

const reason = whyNot(...containerdPrograms, '/usr/sbin/nft');
if (reason) describe.skip(`the main job on containerd: ${reason}`, () => test('skipped', () => {}));
else
  mainJob({
    runtime: 'cri',
    proxyMode: 'nftables',
    prepare: async (machine) => ['--cri-endpoint', await startContainerd(machine)],
  });
