// Changes of an object, field by field.

import type { FieldChange } from '../model/diff.ts';
import { t } from '../text.ts';

/** Fields that are listed; more are counted. */
const most = 12;

export function FieldChanges({ changes }: { changes: readonly FieldChange[] }) {
  if (changes.length === 0) return <p class="muted">{t('noChanges')}</p>;
  return (
    <ul class="field-changes">
      {changes.slice(0, most).map(({ path, before, after }) => (
        <li key={path}>
          <span class="field-path">{path}</span>
          {before !== undefined && <del>{shown(before)}</del>}
          {after !== undefined && <ins>{shown(after)}</ins>}
        </li>
      ))}
      {changes.length > most && <li class="muted">{t('andMore', { count: changes.length - most })}</li>}
    </ul>
  );
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
