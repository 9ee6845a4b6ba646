import { describe, expect, test } from 'vitest';
import { pathSegments, splitSubscript, valueAt } from './field-path.ts';

describe('paths', () => {
  const object = { spec: { containers: [{ name: 'a' }] }, metadata: { labels: { 'x.y/z': '1' } } };
  test.each([
    ['spec.containers[0].name', 'a'],
    ["metadata.labels['x.y/z']", '1'],
    ['spec.none.at.all', undefined],
  ])('%s', (path, value) => expect(valueAt(object, path)).toBe(value));

  test('are split into segments and a subscript', () => {
    expect(pathSegments('a[2].b')).toEqual(['a', 2, 'b']);
    expect(splitSubscript("metadata.labels['a/b']")).toEqual({ path: 'metadata.labels', subscript: 'a/b' });
  });
});
