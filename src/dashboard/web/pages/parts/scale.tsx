// Replicas: desired, ready, updated, as a bar.

import { fieldsIn } from '../../../../machinery/parsed.ts';
import type { KubeObject } from '../../api/api.ts';
import { t } from '../../text.ts';
import { Part } from './part.tsx';

export function ScalePart({ object }: { object: KubeObject }) {
  const spec = fieldsIn(object.spec);
  const status = fieldsIn(object.status);
  const wanted = number(spec['replicas'] ?? status['desiredNumberScheduled']);
  if (wanted === undefined) return null;
  const ready = number(status['readyReplicas'] ?? status['numberReady']) ?? 0;
  const updated = number(status['updatedReplicas'] ?? status['updatedNumberScheduled']);
  return (
    <Part title={t('replicas')}>
      <div class="replicas">
        <span class="replicas-count">
          {ready}
          <span class="muted">/{wanted}</span>
        </span>
        <meter min={0} max={Math.max(1, wanted)} value={Math.min(ready, wanted)} aria-label={t('ready')} />
        <span class="muted">{t('ready')}</span>
        {updated !== undefined && updated !== wanted && <span class="muted">{t('updated', { count: updated })}</span>}
      </div>
    </Part>
  );
}

const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
