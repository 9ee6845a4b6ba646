import { expect, test } from 'vitest';
import { formatCpuSet, parseCpuSet } from './cpu-set.ts';

test.each([
  ['', '', 0],
  ['3', '3', 1],
  ['0-3,5', '0-3,5', 5],
  ['7,1,0,2', '0-2,7', 4],
  ['1-1', '1', 1],
])('%j is %j', (text, formatted, size) => {
  const cpus = parseCpuSet(text);
  expect([formatCpuSet(cpus), cpus.size]).toEqual([formatted, size]);
});

test.each([
  ['x', 'strconv.Atoi: parsing "x": invalid syntax'],
  ['1,', 'strconv.Atoi: parsing "": invalid syntax'],
  ['-1', 'strconv.Atoi: parsing "": invalid syntax'],
  ['1-2-3', 'strconv.Atoi: parsing "2-3": invalid syntax'],
  ['5-3', 'invalid range "5-3" (5 > 3)'],
  ['0-99999999', 'CPU 99999999 is not below 8192'],
])('%j is refused', (text, why) => {
  expect(() => parseCpuSet(text)).toThrow(why);
});
