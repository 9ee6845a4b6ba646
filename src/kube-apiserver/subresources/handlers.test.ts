import { describe, expect, test } from 'vitest';
import { builtinKinds } from '../../api/api.ts';
import { reviews } from './reviews.ts';
import { specialSubresource } from './subresources.ts';

const kinds = builtinKinds();

describe('everything that discovery declares has a handler', () => {
  test.each(
    kinds.flatMap(({ resource, subresources, strategy }) =>
      subresources.map(({ name }) => ({ name, resource, rules: strategy.subresources?.[name] })),
    ),
  )('$resource/$name', ({ resource, name, rules }) => {
    const special = specialSubresource(resource, name);
    expect(special ?? rules).toBeDefined();
    // A subresource that writes a part of its object must define the part.
    if (!special) expect(rules?.prepareForUpdate).toBeTypeOf('function');
  });

  test('a kind that is answered and not stored is a review or a binding', () =>
    expect(Object.keys(reviews).sort()).toEqual(
      kinds
        .filter(({ virtual }) => virtual)
        .map(({ resource }) => resource)
        .sort(),
    ));
});

test.each(['widgets/exec', 'pods/unknown', 'services/binding'])('%s has none', (path) => {
  const [resource, name] = path.split('/');
  expect(specialSubresource(resource, name)).toBeUndefined();
});
