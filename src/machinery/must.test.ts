import { expect, test } from 'vitest';
import { must } from './must.ts';

test.each([0, '', false, 'x'])('%j is present', (value) => expect(must(value, 'value')).toBe(value));
test.each([undefined, null])('%j is an error with the name', (value) =>
  expect(() => must(value, 'spec')).toThrow('missing spec'),
);
