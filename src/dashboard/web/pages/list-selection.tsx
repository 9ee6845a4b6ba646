// The actions for selected rows.

import type { Signal } from '@preact/signals';
import { askToDelete } from '../actions/delete.tsx';
import type { OpenFeed } from '../feeds/client.ts';
import type { Kind } from '../model/kinds.ts';
import type { Row } from '../model/rows.ts';
import { moment } from '../past/moment.ts';
import { t } from '../text.ts';
import { Icon } from '../ui/icons.tsx';

interface Props {
  readonly kind: Kind;
  readonly feed: OpenFeed;
  readonly selected: Signal<ReadonlySet<string>>;
}

export function ListSelection({ kind, feed, selected }: Props) {
  void feed.version.value;
  const rows = [...selected.value].flatMap((key): Row[] => {
    const row = feed.rows.get(key);
    return row ? [row] : [];
  });
  if (rows.length === 0 || moment.value) return null;
  const clear = () => (selected.value = new Set());
  return (
    <div class="selection" role="toolbar">
      <span>{t('selected', { count: rows.length })}</span>
      {kind.verbs.includes('delete') && (
        <button type="button" class="danger" onClick={() => askToDelete(kind, rows, clear)}>
          <Icon name="trash" />
          {t('delete')}
        </button>
      )}
      <button type="button" class="quiet" onClick={clear}>
        {t('cancel')}
      </button>
    </div>
  );
}
