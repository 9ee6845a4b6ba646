// A scheduling cycle with extenders: after the filters they narrow the nodes, after the scores they add to them.

import type { Logger } from '../../machinery/logger.ts';
import type { CycleResult, FoundNodes, SchedulingCycle } from '../cycle.ts';
import { CycleError, type FilteredNode, type Preemption, type Snapshot } from '../framework.ts';
import type { PodInfo } from '../pod-info.ts';
import { bestOf } from '../preemption.ts';
import type { Extender } from './extender.ts';

/** In the place of a plugin's name. A pod that was refused by it looks again after any event. */
const refuser = 'Extender';

export interface Asking {
  readonly extenders: readonly Extender[];
  readonly pod: PodInfo;
  readonly snapshot: Snapshot;
  readonly logger: Logger;
}

/** Rejects with CycleError when an extender fails that is not ignorable. */
export async function cycleWith(cycle: SchedulingCycle, asking: Asking): Promise<CycleResult> {
  const { pod, snapshot, extenders } = asking;
  const filters = extenders.some((extender) => extender.can('filter'));
  let found = cycle.find(pod, snapshot, { needsMany: filters });
  if (!('feasible' in found)) return found;
  let narrowed = await narrow(found, asking);
  if (narrowed.feasible.length === 0 && found.isNominated) {
    found = cycle.find(pod, snapshot, { needsMany: filters, skipsNominated: true });
    if (!('feasible' in found)) return found;
    narrowed = await narrow(found, asking);
  }
  if (narrowed.feasible.length === 0) return cycle.failure(narrowed, refuser);
  const scores = narrowed.feasible.length > 1 ? await scoresFor(narrowed, asking) : [];
  const left = stillThere(narrowed, snapshot);
  return left.feasible.length === 0 ? cycle.failure(left, refuser) : cycle.choose(pod, left, snapshot, scores);
}

/** Nodes may have gone during the calls of the extenders. */
const stillThere = (found: FoundNodes, snapshot: Snapshot): FoundNodes => ({
  ...found,
  feasible: found.feasible.flatMap(({ name }) => snapshot.node(name) ?? []),
});

async function narrow(found: FoundNodes, { extenders, pod, snapshot, logger }: Asking): Promise<FoundNodes> {
  let current = found;
  for (const extender of extenders) {
    if (!extender.can('filter') || current.feasible.length === 0) continue;
    try {
      const { names, failed, unresolvable } = await extender.filter(pod.pod, current.feasible);
      const kept = new Set(names);
      const filtered: FilteredNode[] = [];
      for (const { name } of current.feasible) {
        const reason = unresolvable.get(name) ?? failed.get(name);
        if (kept.has(name) || reason === undefined) continue;
        const resolvable = !unresolvable.has(name);
        filtered.push({ node: name, plugin: refuser, reasons: [reason], resolvable });
      }
      current = stillThere(
        {
          ...current,
          feasible: current.feasible.filter(({ name }) => kept.has(name)),
          filtered: [...current.filtered, ...filtered],
        },
        snapshot,
      );
    } catch (error) {
      skip(extender, error as Error, logger);
    }
  }
  return current;
}

function skip(extender: Extender, { message }: Error, logger: Logger): void {
  if (!extender.ignorable) throw new CycleError(message);
  logger.warn('an extender failed and is ignored', { extender: extender.name, error: message });
}

/** All at once. An extender that fails gives no score. */
async function scoresFor({ feasible }: FoundNodes, { extenders, pod, logger }: Asking) {
  const asked = extenders.filter((extender) => extender.can('prioritize'));
  const answers = await Promise.all(
    asked.map((extender) =>
      extender.prioritize(pod.pod, feasible).catch(({ message }: Error) => {
        logger.warn('an extender gave no score', { extender: extender.name, error: message });
        return new Map<string, number>();
      }),
    ),
  );
  return answers.map((scores, i) => ({ name: asked[i].name, scores }));
}

/** Rejects with CycleError as above. Undefined: no candidate is left. */
export async function preemptionWith(found: Preemption, asking: Asking): Promise<Preemption | undefined> {
  const { extenders, pod, snapshot, logger } = asking;
  let { candidates } = found;
  for (const extender of extenders) {
    if (!extender.can('preempt') || candidates.length === 0) continue;
    try {
      candidates = await extender.preempt(pod.pod, candidates, (name) => snapshot.node(name));
    } catch (error) {
      skip(extender, error as Error, logger);
    }
  }
  return candidates === found.candidates ? found : bestOf(candidates, pod, snapshot);
}
