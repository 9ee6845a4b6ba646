import { expect, test } from 'vitest';
import { parseFilter } from './filter.ts';

test.each([
  ['', [], '', ''],
  ['Web', ['web'], '', ''],
  ['web 7f', ['web', '7f'], '', ''],
  ['app=web', [], 'app=web', ''],
  ['app=web,tier!=db', [], 'app=web,tier!=db', ''],
  ['app=web, tier!=db', [], 'app=web,tier!=db', ''],
  ['app.kubernetes.io/name==web', [], 'app.kubernetes.io/name==web', ''],
  ['env in (a, b) web', ['web'], 'env in (a, b)', ''],
  ['env notin (a)', [], 'env notin (a)', ''],
  ['!canary', [], '!canary', ''],
  ['spec.nodeName=n1', [], '', 'spec.nodeName=n1'],
  ['status.phase!=Running app=web x', ['x'], 'app=web', 'status.phase!=Running'],
  ['reason=Failed', [], '', 'reason=Failed'],
  ['app=', [], 'app=', ''],
  ['<b>', ['<b>'], '', ''],
])('%j', (text, names, labelSelector, fieldSelector) =>
  expect(parseFilter(text)).toEqual({ names, labelSelector, fieldSelector }),
);
