// All lessons, in the order in which the page shows them.

import { type Lesson, lessonOf } from './lesson.ts';
import autoscale from './lessons/autoscale.json' with { type: 'json' };
import backup from './lessons/backup.json' with { type: 'json' };
import deploy from './lessons/deploy.json' with { type: 'json' };
import drain from './lessons/drain.json' with { type: 'json' };
import evict from './lessons/evict.json' with { type: 'json' };
import failover from './lessons/failover.json' with { type: 'json' };
import policy from './lessons/policy.json' with { type: 'json' };
import probe from './lessons/probe.json' with { type: 'json' };
import rollOut from './lessons/roll-out.json' with { type: 'json' };
import taint from './lessons/taint.json' with { type: 'json' };

export const lessons: readonly Lesson[] = [
  ...[deploy, rollOut, probe, taint, drain, evict, autoscale, policy, failover, backup],
].map(lessonOf);
