import { expect, test } from 'vitest';
import type { PolicyRule } from '../../api/api.ts';
import { describeRules, TooManyCombinations, uncovered } from './rule-covering.ts';

/** "verbs|groups|resources|names" with lists by commas, or "verbs|URL,URL". */
function rule(text: string): PolicyRule {
  const list = (part: string) => part.split(',');
  const [verbs, second, resources, names] = text.split('|');
  if (resources === undefined) return { verbs: list(verbs), nonResourceURLs: list(second) };
  return {
    verbs: list(verbs),
    apiGroups: list(second),
    resources: list(resources),
    ...(names && { resourceNames: list(names) }),
  };
}

test.each<[string, string[], string[], string[]]>([
  ['the same', ['get|v1|builds'], ['get|v1|builds'], []],
  ['a subresource of all resources', ['get|v1|*/scale'], ['get|v1|foo/scale'], []],
  ['another subresource', ['get|v1|*/scale'], ['get|v1|foo/status'], ['get|v1|foo/status']],
  ['a resource, by its subresource', ['get|v1|foo/scale'], ['get|v1|foo'], ['get|v1|foo']],
  ['a subresource, by its resource', ['get|v1|foo'], ['get|v1|foo/scale'], ['get|v1|foo/scale']],
  ['subresources of everything', ['get|v1|*/scale'], ['get|v1|*/scale'], []],
  ['all resources, by all of a subresource', ['get|v1|*/scale'], ['get|v1|*'], ['get|v1|*']],
  [
    'one rule, by several',
    ['delete|v1|deployments', 'delete|v1|builds', 'update|v1|builds,deployments'],
    ['delete,update|v1|builds,deployments'],
    [],
  ],
  [
    'several groups, by a rule each',
    ['delete,update|one|builds,deployments', 'delete|two|builds,deployments', 'update|two|builds,deployments'],
    ['delete,update|one,two|builds,deployments'],
    [],
  ],
  [
    'all but one combination',
    ['delete,update|v1|builds,deployments', 'delete|v1|pods'],
    ['delete,update|v1|builds,deployments,pods'],
    ['update|v1|pods'],
  ],
  ['groups, by all groups', ['get|*|roles'], ['get|one,two|roles'], []],
  ['all groups, by one', ['get|one|roles'], ['get|*|roles'], ['get|*|roles']],
  ['all groups, by all groups', ['get|*|roles'], ['get|*|roles'], []],
  ['verbs, by all verbs', ['*|v1|roles'], ['watch,list|v1|roles'], []],
  ['all verbs, by many', ['get,list,watch,create,update,patch,delete|v1|roles'], ['*|v1|roles'], ['*|v1|roles']],
  ['resources, by all', ['get|v1|*'], ['get|v1|a,b/c'], []],
  ['all resources, by one', ['get|v1|roles'], ['get|v1|*'], ['get|v1|*']],
  ['names, by a rule without names', ['get|v1|pods'], ['get|v1|pods|foo,bar'], []],
  ['all names, by names', ['get|v1|pods|foo,bar'], ['get|v1|pods'], ['get|v1|pods']],
  ['a name that is missing', ['get|v1|pods|foo'], ['get|v1|pods|foo,bar'], ['get|v1|pods|bar']],
  ['names have no wildcard', ['get|v1|pods|*'], ['get|v1|pods|foo'], ['get|v1|pods|foo']],
  ['a path', ['*|/apis'], ['*|/apis'], []],
  ['paths, by all', ['*|*'], ['*|/apis,/apis/v1,/'], []],
  ['the path above a star', ['*|/apis/*'], ['get|/apis,/apis/v1'], ['get|/apis']],
  ['paths below a star', ['*|/apis/*'], ['get|/apis/v1/foo,/apis/v1'], []],
  ['all paths, by a star below', ['get|/apis/*'], ['get|*'], ['get|*']],
  ['a path, by resources', ['*|*|*'], ['get|/metrics'], ['get|/metrics']],
  ['resources, by paths', ['*|*'], ['get||pods'], ['get||pods']],
])('%s', (_, owned, wanted, missing) =>
  expect(uncovered(owned.map(rule), wanted.map(rule))).toEqual(missing.map(rule)),
);

test('missing rules are shown by verb, sorted, each once', () => {
  const missing = uncovered([], ['get,list||secrets,pods|a', 'get,list||secrets', 'get|/b,/a', 'get|/a'].map(rule));
  expect(describeRules(missing).split('\n')).toEqual([
    '{APIGroups:[""], Resources:["pods"], ResourceNames:["a"], Verbs:["get" "list"]}',
    '{APIGroups:[""], Resources:["secrets"], ResourceNames:["a"], Verbs:["get" "list"]}',
    '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
    '{NonResourceURLs:["/a"], Verbs:["get"]}',
    '{NonResourceURLs:["/b"], Verbs:["get"]}',
  ]);
});

test('rules with billions of combinations are refused quickly, and pass if one rule covers them', () => {
  const many = Array.from({ length: 3_000 }, (_, i) => `x${i}`);
  const huge = { verbs: many, apiGroups: many, resources: many, resourceNames: many };
  const begin = performance.now();
  expect(() => uncovered([rule('get||pods')], [huge])).toThrow(TooManyCombinations);
  expect(uncovered([rule('*|*|*')], [huge])).toEqual([]);
  expect(performance.now() - begin).toBeLessThan(1_000);
});

test('empty rules and rules without verbs are compared too: validation comes later', () => {
  expect(uncovered([], [{ apiGroups: [''], resources: ['pods'] } as never, null as never])).toEqual([]);
});

test('thousands of rules that the last of thousands contains are too many to compare', () => {
  const rules = (text: string) => Array.from({ length: 20_000 }, () => rule(text));
  const owned = [...rules('get||pods'), rule('*|*|*')];
  const before = process.threadCpuUsage().user;
  expect(() => uncovered(owned, rules('list||configmaps'))).toThrow(TooManyCombinations);
  expect(process.threadCpuUsage().user - before).toBeLessThan(250_000);
});

test('a rule of thousands of verbs is described in linear time', () => {
  const verbs = Array.from({ length: 50_000 }, (_, i) => `v${i}`);
  const before = process.threadCpuUsage().user;
  expect(describeRules(verbs.map((verb) => rule(`${verb}|a|b`)))).toContain('"v49999"');
  expect(process.threadCpuUsage().user - before).toBeLessThan(400_000);
});
