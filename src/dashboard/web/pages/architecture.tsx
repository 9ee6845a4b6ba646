// The administrator's view: the parts of the cluster as they work. A part opens its numbers.

import { type Signal, useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Activity } from '../model/metrics.ts';
import { moment } from '../past/moment.ts';
import { t } from '../text.ts';
import { Sparkline } from '../ui/sparkline.tsx';
import { useClusterNodes } from '../views/cluster-nodes.ts';
import { Flows } from '../views/flows.tsx';
import { NodeCards } from '../views/node-cards.tsx';
import { bytes, Metric, rate, time } from '../views/numbers.tsx';
import { PartBox } from '../views/part-box.tsx';
import { type PartName, PartPanel } from '../views/part-panel.tsx';
import { type ObservedActivity, type TimedActivity, useActivity } from '../views/use-activity.ts';

export function ArchitecturePage() {
  const present = useActivity().value;
  const observed = moment.value ? unknownActivity : present;
  const cluster = useClusterNodes();
  const chosen = useSignal<PartName | undefined>(undefined);
  const picture = useRef<HTMLDivElement>(null);
  const { activity, history } = observed;
  return (
    <section class="architecture" aria-label={t('architecture')}>
      <div class="picture" ref={picture}>
        {observed.fault && !activity && <p class="notice flat">{t('noMetrics', { message: observed.fault })}</p>}
        {moment.value && <p class="muted centred">{t('pastRates')}</p>}
        <Flows picture={picture} activity={activity} nodes={cluster.nodes.length} />
        <div class="picture-row">
          <PartBox id="clients" title={t('part.clients')} subtitle="kubectl, helm, console">
            {activity && (
              <dl class="metrics">
                <Metric label={t('metric.requests')} value={rate(activity.requestsPerSecond)} />
                <Metric label={t('metric.watches')} value={String(activity.watches)} />
              </dl>
            )}
          </PartBox>
        </div>
        <div class="picture-row core">
          <ApiServer observed={observed} chosen={chosen} />
          <PartBox id="store" title={t('part.store')} chosen={chosen}>
            {activity && (
              <dl class="metrics">
                <Metric label={t('metric.operations')} value={rate(activity.storePerSecond)} />
                <Metric label={t('metric.time')} value={time(activity.storeSeconds)} />
                <Metric label={t('metric.size')} value={bytes(activity.storeBytes)} />
              </dl>
            )}
          </PartBox>
        </div>
        <div class="picture-row">
          <Scheduler activity={activity} chosen={chosen} history={history} />
          <Controllers activity={activity} chosen={chosen} />
        </div>
        <NodeCards cluster={cluster} />
      </div>
      {chosen.value && <PartPanel name={chosen.value} activity={activity} onClose={() => (chosen.value = undefined)} />}
    </section>
  );
}

/** Rates are not kept. */
const unknownActivity: ObservedActivity = { activity: undefined, fault: undefined, history: [] };

type Chosen = Signal<PartName | undefined>;

function ApiServer({ observed: { activity, history }, chosen }: { observed: ObservedActivity; chosen: Chosen }) {
  return (
    <PartBox id="apiserver" title={t('part.apiserver')} chosen={chosen}>
      {activity && (
        <>
          <dl class="metrics">
            <Metric label={t('metric.requests')} value={rate(activity.requestsPerSecond)} />
            <Metric label="p50" value={time(activity.p50)} />
            <Metric label="p99" value={time(activity.p99)} />
            <Metric
              label={t('metric.errors')}
              value={rate(activity.errorsPerSecond)}
              {...(activity.errorsPerSecond > 0 && { tone: 'bad' as const })}
            />
            <Metric label={t('metric.memory')} value={bytes(activity.memoryBytes)} />
          </dl>
          <Sparkline
            values={history.map(({ atMs, requestsPerSecond: value }) => ({ atMs, value }))}
            label={t('metric.requests')}
          />
        </>
      )}
    </PartBox>
  );
}

interface PartProps {
  readonly activity: Activity | undefined;
  readonly chosen: Chosen;
}

function Scheduler({ activity, chosen, history }: PartProps & { history: readonly TimedActivity[] }) {
  return (
    <PartBox id="scheduler" title={t('part.scheduler')} subtitle={t('part.scheduler.lead')} chosen={chosen}>
      {activity?.hasScheduler && (
        <>
          <dl class="metrics">
            <Metric label={t('metric.scheduled')} value={rate(activity.schedulingPerSecond)} />
            <Metric label={t('metric.pending')} value={String(activity.pendingPods)} />
          </dl>
          <Sparkline
            values={history.map(({ atMs, schedulingPerSecond: value }) => ({ atMs, value }))}
            label={t('metric.scheduled')}
          />
        </>
      )}
    </PartBox>
  );
}

function Controllers({ activity, chosen }: PartProps) {
  const queues = activity?.queues ?? [];
  const depth = queues.reduce((sum, queue) => sum + queue.depth, 0);
  const adds = queues.reduce((sum, queue) => sum + queue.addsPerSecond, 0);
  const busy = queues.filter((queue) => queue.addsPerSecond > 0).slice(0, 3);
  return (
    <PartBox id="controllers" title={t('part.controllers')} subtitle={t('part.controllers.lead')} chosen={chosen}>
      {activity?.hasControllers && (
        <>
          <dl class="metrics">
            <Metric label={t('metric.work')} value={rate(adds)} />
            <Metric label={t('metric.queued')} value={String(depth)} />
            <Metric label={t('metric.queues')} value={String(queues.length)} />
          </dl>
          <p class="busy-list muted">{busy.map(({ name }) => name).join(', ') || t('idle')}</p>
        </>
      )}
    </PartBox>
  );
}
