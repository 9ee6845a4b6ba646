import { describe, expect, test } from 'vitest';
import { holds } from './check.ts';
import { lessonOf } from './lesson.ts';
import { lessons } from './lessons.ts';

describe('checks', () => {
  const pods = [{ metadata: { name: 'a' }, spec: { nodeName: 'n1' } }];
  test.each([
    ["pods.exists(p, p.metadata.name == 'a')", true],
    ['pods.all(p, p.spec.nodeName != node)', false],
    ['pods[0].status.readyReplicas == 3', false],
    ['pace == 1', true],
    ['pods.size() == 1', true],
  ])('%s is %s', (check, expected) => expect(holds(check, { pods, node: 'n1', pace: 1 })).toBe(expected));

  test('a faulty expression throws', () => expect(() => holds('pods.nothing(', { pods })).toThrow());
});

describe('lessons', () => {
  test('there are ten, each with its own id', () => expect(new Set(lessons.map(({ id }) => id)).size).toBe(10));

  test.each(lessons)(
    '$id: texts in all languages, and checks that are false in an empty cluster',
    ({ title, text, steps }) => {
      for (const texts of [title, text, ...steps.map((step) => step.text)])
        expect(Object.keys(texts).sort()).toEqual(['de', 'en', 'ko']);
      const [first] = steps;
      const empty = Object.fromEntries(Object.keys(first.objects).map((name) => [name, []]));
      expect(holds(first.check, { ...empty, node: 'n1', pace: 1 })).toBe(false);
      for (const { check, objects } of steps) {
        const names = Object.fromEntries(Object.keys(objects).map((name) => [name, []]));
        expect(() => holds(check, { ...names, node: 'n1', pace: 1 })).not.toThrow();
      }
    },
  );

  test.each([
    ['no id', {}],
    ['no steps', { id: 'x', title: { en: 'x' }, text: { en: 'x' } }],
    ['no check', { id: 'x', title: { en: 'x' }, text: { en: 'x' }, steps: [{ text: { en: 'x' } }] }],
    ['no English', { id: 'x', title: { de: 'x' }, text: { en: 'x' }, steps: [{ text: { en: 'x' }, check: 'true' }] }],
  ])('%s is refused', (_, value) => expect(() => lessonOf(value)).toThrow());
});
