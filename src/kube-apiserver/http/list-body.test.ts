import { expect, test } from 'vitest';
import { builtinKinds } from '../../api/api.ts';
import { Item, serialize } from '../watch-cache/item.ts';
import { type Body, ItemBody, ListBody, wholeOf } from './list-body.ts';

const itemOf = (name: string, data: object) => {
  const object = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name, uid: `u-${name}` }, data } as never;
  return new Item(`/registry/configmaps/default/${name}`, 7, object, serialize(object));
};
const items = [itemOf('a', { x: '1'.repeat(50) }), itemOf('b', { x: 'ü€' }), itemOf('c', {})];
const kind = builtinKinds().find((one) => one.kind === 'ConfigMap')!;

const bodies: readonly [string, () => Body][] = [
  ['a list', () => new ListBody(kind, items, { resourceVersion: '9' })],
  ['a list of a custom kind', () => new ListBody({ ...kind, custom: true }, items, { resourceVersion: '9' })],
  ['an empty list', () => new ListBody(kind, [], { resourceVersion: '9' })],
  ['an object', () => new ItemBody(items[1])],
];

test.each(bodies)('%s is the same in pieces of any size', (_, make) => {
  const whole = wholeOf(make());
  expect(whole.length).toBe(make().length);
  expect(() => JSON.parse(whole.toString())).not.toThrow();
  for (let size = 2; size <= whole.length + 1; size++) {
    const body = make();
    const target = Buffer.alloc(size);
    const pieces: Buffer[] = [];
    for (let length = body.fill(target); length > 0; length = body.fill(target))
      pieces.push(Buffer.from(target.subarray(0, length)));
    expect(Buffer.concat(pieces).equals(whole), `pieces of ${size}`).toBe(true);
  }
});
