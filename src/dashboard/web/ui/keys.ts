// Keys that count on every page. A view that has keys of its own listens itself.

import { signal } from '@preact/signals';

export const isPaletteOpen = signal(false);
export const isMenuOpen = signal(false);

export function listenForKeys(): () => void {
  const listen = (event: KeyboardEvent) => {
    if (isSearch(event)) {
      event.preventDefault();
      isPaletteOpen.value = !isPaletteOpen.value;
    } else if (event.key === '/' && !isTyping(event)) {
      const filter = document.querySelector<HTMLInputElement>('[data-filter]');
      if (!filter) return;
      event.preventDefault();
      filter.focus();
      filter.select();
    }
  };
  addEventListener('keydown', listen);
  return () => removeEventListener('keydown', listen);
}

/** An editor has the key with Shift, and a shell has Ctrl-K itself. */
function isSearch({ key, ctrlKey, metaKey, shiftKey, altKey, target }: KeyboardEvent): boolean {
  if (key.toLowerCase() !== 'k' || shiftKey || altKey) return false;
  return metaKey || (ctrlKey && !(target instanceof Element && target.closest('.xterm')));
}

/** Whether the key belongs to a field, an editor or a terminal. */
export function isTyping({ target, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  if (ctrlKey || metaKey || altKey) return true;
  return target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable], .xterm') !== null;
}
