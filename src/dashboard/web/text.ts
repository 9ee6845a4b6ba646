// Texts in the user's language: locales/*.json, one flat file each. English is part of the first load.

import { effect, signal } from '@preact/signals';
import english from './locales/en.json';
import { type Language, language } from './settings.ts';

export type TextKey = keyof typeof english;
type Texts = Readonly<Partial<Record<TextKey, string>>>;

const current = signal<Texts>(english);

const load: Readonly<Record<Language, () => Promise<Texts>>> = {
  en: async () => english,
  de: async () => (await import('./locales/de.json')).default,
  ko: async () => (await import('./locales/ko.json')).default,
};

effect(() => {
  const wanted = language.value;
  document.documentElement.lang = wanted;
  void load[wanted]().then((texts) => {
    if (language.value === wanted) current.value = texts;
  });
});

/** The text, with `{name}` replaced. A text that a language lacks is shown in English. */
export function t(key: TextKey, values: Readonly<Record<string, string | number>> = {}): string {
  const text = current.value[key] ?? english[key];
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}
