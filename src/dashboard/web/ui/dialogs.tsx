// One dialog at a time, opened from anywhere.

import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../text.ts';

type Content = () => ComponentChildren;

const current = signal<Content | undefined>(undefined);

export const openDialog = (content: Content): void => void (current.value = content);
export const closeDialog = (): void => void (current.value = undefined);

export const Dialogs = () => <>{current.value?.()}</>;

interface DialogProps {
  readonly title: string;
  readonly children: ComponentChildren;
  /** The text of the button that goes on. */
  readonly action?: string;
  readonly isDangerous?: boolean;
  readonly isBusy?: boolean;
  onAction?(): void;
}

export function Dialog({ title, children, action, isDangerous, isBusy, onAction }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    element.current?.showModal();
  }, []);
  return (
    <dialog ref={element} class="dialog" aria-label={title} onClose={closeDialog}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          onAction?.();
        }}
      >
        <h2>{title}</h2>
        {children}
        <div class="dialog-actions">
          <button type="button" class="quiet" onClick={closeDialog}>
            {action ? t('cancel') : t('close')}
          </button>
          {action && (
            <button type="submit" class={isDangerous ? 'danger' : 'primary'} disabled={isBusy}>
              {action}
            </button>
          )}
        </div>
      </form>
    </dialog>
  );
}
