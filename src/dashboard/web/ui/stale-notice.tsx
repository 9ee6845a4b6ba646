// Says that rows may be old, and why.

import type { FeedPhase } from '../feeds/protocol.ts';
import { t } from '../text.ts';

export function StaleNotice({ phase }: { phase: FeedPhase | undefined }) {
  if (phase?.name !== 'stale') return null;
  return (
    <p class="notice busy" role="alert">
      {phase.code === 0 ? t('stale') : t('staleBecause', { message: phase.message })}
    </p>
  );
}
