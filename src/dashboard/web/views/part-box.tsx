// A part of the picture. One with numbers of its own opens them.

import type { Signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { PartName } from './part-panel.tsx';

interface Props {
  readonly id: PartName | 'clients';
  readonly title: string;
  readonly subtitle?: string;
  readonly chosen?: Signal<PartName | undefined>;
  readonly children?: ComponentChildren;
}

export function PartBox({ id, title, subtitle, chosen, children }: Props) {
  const isChosen = chosen?.value === id;
  const open = () => {
    if (chosen && id !== 'clients') chosen.value = isChosen ? undefined : id;
  };
  return (
    <div class={isChosen ? 'part-box chosen' : 'part-box'} data-part={id} onClick={open}>
      <h2>
        {chosen ? (
          <button type="button" class="part-title" aria-expanded={isChosen}>
            {title}
          </button>
        ) : (
          title
        )}
      </h2>
      {subtitle && <p class="muted small">{subtitle}</p>}
      {children}
    </div>
  );
}
