import { expect, test } from 'vitest';
import { urlOf } from './request-url.ts';

test.each([
  ['/pods', '/pods', ''],
  ['/logs/a%2Fb?x=1', '/logs/a%2Fb', '?x=1'],
  ['//', '//', ''],
  ['//healthz/exec/ns/pod/c', '//healthz/exec/ns/pod/c', ''],
  ['///a:b@c', '///a:b@c', ''],
  ['https://other/pods', '/pods', ''],
  ['*', undefined, undefined],
  ['http://', undefined, undefined],
  ['', undefined, undefined],
])('the target %s', (url, pathname, search) => {
  const found = urlOf({ url });
  expect([found?.pathname, found?.search]).toEqual([pathname, search]);
});
