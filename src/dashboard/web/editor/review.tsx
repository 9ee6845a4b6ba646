// The result of a dry run: the changes that a write would make, or why the server refuses it.

import { Failure } from '../api/failure.ts';
import { conflictsIn } from '../api/write.ts';
import type { DiffLine } from '../model/diff.ts';
import { t } from '../text.ts';

export const Diff = ({ lines }: { lines: readonly DiffLine[] }) => (
  <div class="diff" role="region" aria-label={t('changes')}>
    {lines.length === 0 && <p class="muted">{t('noChanges')}</p>}
    {lines.map(({ kind, text }, index) => (
      <div key={index} class={`diff-line ${kind}`}>
        <span class="diff-mark" aria-hidden="true">
          {kind === 'added' ? '+' : kind === 'removed' ? '−' : kind === 'gap' ? '⋯' : ''}
        </span>
        <span>{text}</span>
      </div>
    ))}
  </div>
);

export function Refusal({ failure, onForce }: { failure: Failure; onForce?: () => void }) {
  const conflicts = conflictsIn(failure);
  return (
    <div class="notice bad" role="alert">
      {conflicts.length === 0 && <p>{failure.message}</p>}
      {conflicts.map(({ manager, fields }) => (
        <div key={manager}>
          <p>{t('conflict', { manager })}</p>
          <ul class="names">
            {fields.map((field) => (
              <li key={field}>{field}</li>
            ))}
          </ul>
        </div>
      ))}
      {conflicts.length === 0 && failure.causes.length > 1 && (
        <ul class="names">
          {failure.causes.map(({ field, message }) => (
            <li key={`${field} ${message}`}>
              {field} {message}
            </li>
          ))}
        </ul>
      )}
      {conflicts.length > 0 && onForce && (
        <button type="button" class="danger" onClick={onForce}>
          {t('takeOver')}
        </button>
      )}
    </div>
  );
}

export const asFailure = (error: unknown): Failure =>
  error instanceof Failure ? error : new Failure(0, '', error instanceof Error ? error.message : String(error));
