// Short reports of results; errors stay until they are closed.

import { signal } from '@preact/signals';
import { after } from '../system.ts';
import { t } from '../text.ts';
import { Icon } from './icons.tsx';

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly isError: boolean;
}

const toasts = signal<readonly Toast[]>([]);
const shownMs = 4_000;
const most = 4;
let made = 0;

export function report(text: string): void {
  const id = add(text, false);
  after(shownMs, () => close(id));
}

export const reportError = (error: unknown): void =>
  void add(error instanceof Error ? error.message : String(error), true);

function add(text: string, isError: boolean): number {
  const id = ++made;
  toasts.value = [...toasts.value, { id, text, isError }].slice(-most);
  return id;
}

function close(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export const Toasts = () => (
  <div class="toasts" role="status" aria-live="polite">
    {toasts.value.map(({ id, text, isError }) => (
      <div key={id} class={isError ? 'toast bad' : 'toast'}>
        <span>{text}</span>
        <button type="button" class="quiet" aria-label={t('close')} onClick={() => close(id)}>
          <Icon name="close" />
        </button>
      </div>
    ))}
  </div>
);
