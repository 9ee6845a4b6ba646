import { describe, test } from 'vitest';
import { whyNot } from './machine.ts';
import { mainJob } from './main-job.ts';

const reason = whyNot();
if (reason) describe.skip(`the main job on native: ${reason}`, () => test('skipped', () => {}));
else mainJob({ runtime: 'native', proxyMode: 'userspace' });
