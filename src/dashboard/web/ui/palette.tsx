// Ctrl-K: goes to a kind, or to an object of the kinds that people look for by name.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { kinds } from '../api/catalog.ts';
import { findTargets, type Target } from '../api/find.ts';
import { go } from '../router.ts';
import { after } from '../system.ts';
import { t } from '../text.ts';
import { Icon } from './icons.tsx';
import { isPaletteOpen } from './keys.ts';

/** A search starts when the user pauses. */
const pauseMs = 150;

export const Palette = () => (isPaletteOpen.value ? <OpenPalette /> : null);

function OpenPalette() {
  const text = useSignal('');
  const found = useSignal<readonly Target[]>([]);
  const active = useSignal(0);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    const stop = new AbortController();
    const cancel = after(text.value ? pauseMs : 0, () => {
      void findTargets(kinds.value, text.value, stop.signal, (targets) => {
        found.value = targets;
        active.value = 0;
      });
    });
    return () => {
      cancel();
      stop.abort();
    };
  }, [text.value]);
  const close = () => (isPaletteOpen.value = false);
  const open = (target: Target | undefined) => {
    if (!target) return;
    close();
    go(target.link);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const last = found.value.length - 1;
    if (event.key === 'ArrowDown') active.value = Math.min(last, active.value + 1);
    else if (event.key === 'ArrowUp') active.value = Math.max(0, active.value - 1);
    else if (event.key === 'Enter') open(found.value[active.value]);
    else return;
    event.preventDefault();
  };
  return (
    <dialog ref={dialog} class="palette" aria-label={t('search')} onClose={close} onClick={closeOutside}>
      <div class="palette-input">
        <Icon name="search" />
        <input
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={found.value.length ? `palette-${active.value}` : undefined}
          placeholder={t('searchPlaceholder')}
          value={text.value}
          onInput={({ currentTarget }) => (text.value = currentTarget.value)}
          onKeyDown={onKeyDown}
        />
      </div>
      <div id="palette-list" role="listbox" aria-label={t('search')} class="palette-list">
        {found.value.map((target, index) => (
          <Choice key={target.link} {...{ target, index, isActive: index === active.value, open }} />
        ))}
        {found.value.length === 0 && <p class="muted">{text.value ? t('searchEmpty') : t('searchHint')}</p>}
      </div>
    </dialog>
  );
}

function closeOutside({ target, currentTarget }: MouseEvent): void {
  if (target === currentTarget) isPaletteOpen.value = false;
}

interface ChoiceProps {
  readonly target: Target;
  readonly index: number;
  readonly isActive: boolean;
  open(target: Target): void;
}

function Choice({ target, index, isActive, open }: ChoiceProps) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (isActive) element.current?.scrollIntoView({ block: 'nearest' });
  }, [isActive]);
  return (
    <div
      ref={element}
      id={`palette-${index}`}
      role="option"
      tabIndex={-1}
      aria-selected={isActive}
      onClick={() => open(target)}
    >
      <span class="palette-name">{target.name}</span>
      <span class="muted">{target.detail}</span>
    </div>
  );
}
