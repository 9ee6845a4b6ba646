// The user's choices: theme, language, namespace. Kept in this browser.

import { effect, signal } from '@preact/signals';

function kept<T extends string>(name: string, initial: T, allowed?: readonly T[]) {
  const place = `coracle.${name}`;
  const stored = localStorage.getItem(place) as T | null;
  const value = signal<T>(stored !== null && (!allowed || allowed.includes(stored)) ? stored : initial);
  effect(() => localStorage.setItem(place, value.value));
  return value;
}

export const themes = ['system', 'light', 'dark'] as const;
export const theme = kept('theme', 'system', themes);

export const languages = { en: 'English', de: 'Deutsch', ko: '한국어' } as const;
export type Language = keyof typeof languages;

const preferred = (): Language =>
  navigator.languages.map((tag) => tag.slice(0, 2)).find((tag): tag is Language => tag in languages) ?? 'en';

export const language = kept<Language>('language', preferred(), ['en', 'de', 'ko']);

/** '': all namespaces. */
export const namespace = kept<string>('namespace', '');

effect(() => {
  document.documentElement.dataset['theme'] = theme.value;
});
