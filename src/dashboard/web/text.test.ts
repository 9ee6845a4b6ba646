import { describe, expect, test } from 'vitest';
import german from './locales/de.json' with { type: 'json' };
import english from './locales/en.json' with { type: 'json' };
import korean from './locales/ko.json' with { type: 'json' };

const placesIn = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();

describe.each([
  ['German', german],
  ['Korean', korean],
])('%s', (_, texts: Record<string, string>) => {
  test('has all texts', () => expect(Object.keys(texts)).toEqual(Object.keys(english)));
  test('has the places of each text', () => {
    const wrong = Object.entries(english).filter(([key, text]) => `${placesIn(text)}` !== `${placesIn(texts[key])}`);
    expect(wrong.map(([key]) => key)).toEqual([]);
  });
});
