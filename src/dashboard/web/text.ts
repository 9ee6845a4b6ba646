// Texts in the user's language: locales/*.json and locales/tools/*.json, flat files. English is part of the first load.

import { effect, signal } from '@preact/signals';
import common from './locales/en.json';
import tools from './locales/tools/en.json';
import { type Language, language } from './settings.ts';

const english = { ...common, ...tools };

export type TextKey = keyof typeof english;
type Texts = Readonly<Partial<Record<TextKey, string>>>;

const current = signal<Texts>(english);

const load: Readonly<Record<Language, () => Promise<Texts>>> = {
  en: async () => english,
  de: async () => merged(await Promise.all([import('./locales/de.json'), import('./locales/tools/de.json')])),
  ko: async () => merged(await Promise.all([import('./locales/ko.json'), import('./locales/tools/ko.json')])),
};

const merged = (files: readonly { default: Texts }[]): Texts => Object.assign({}, ...files.map((one) => one.default));

effect(() => {
  const wanted = language.value;
  document.documentElement.lang = wanted;
  void load[wanted]().then((texts) => {
    if (language.value === wanted) current.value = texts;
  });
});

const isKey = (key: string): key is TextKey => Object.hasOwn(english, key);

/** The text, with `{name}` replaced; for a count of 1 that of `KEY.one`. Texts that a language lacks are English. */
export function t(key: TextKey, values: Readonly<Record<string, string | number>> = {}): string {
  const one = `${key}.one`;
  const isOne = values['count'] === 1 && isKey(one);
  const found = isOne ? one : key;
  const text = current.value[found] ?? english[found];
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}
