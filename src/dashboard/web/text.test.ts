import { describe, expect, test } from 'vitest';
import german from './locales/de.json' with { type: 'json' };
import english from './locales/en.json' with { type: 'json' };
import korean from './locales/ko.json' with { type: 'json' };
import germanTools from './locales/tools/de.json' with { type: 'json' };
import englishTools from './locales/tools/en.json' with { type: 'json' };
import koreanTools from './locales/tools/ko.json' with { type: 'json' };

const placesIn = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();

describe.each([
  ['German', english, german],
  ['Korean', english, korean],
  ['German tools', englishTools, germanTools],
  ['Korean tools', englishTools, koreanTools],
])('%s', (_, english: Record<string, string>, texts: Record<string, string>) => {
  test('has all texts', () => expect(Object.keys(texts)).toEqual(Object.keys(english)));
  test('has the places of each text', () => {
    const wrong = Object.entries(english).filter(([key, text]) => `${placesIn(text)}` !== `${placesIn(texts[key])}`);
    expect(wrong.map(([key]) => key)).toEqual([]);
  });
});
