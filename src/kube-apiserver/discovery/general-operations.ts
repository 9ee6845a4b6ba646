// The operations beside those of resources, as OpenAPI lists them.

import { identifier, objectTypes, type PathItem, shortGroup } from './operations.ts';

const json = 'application/json';
const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';

/** Operations beside those of resources: on versions, groups and their lists. */
export function generalOperations(versions: ReadonlyMap<string, readonly string[]>): PathItem[] {
  const items: PathItem[] = [];
  const add = (path: string, id: string, description: string, tag: string, answer: string, types = objectTypes) =>
    items.push({
      path,
      operations: [
        {
          method: 'get',
          id,
          description,
          tags: [tag],
          consumes: types,
          produces: types,
          parameters: [],
          answers: { 200: answer },
        },
      ],
    });
  add('/api/', 'getCoreAPIVersions', 'get available API versions', 'core', `${meta}APIVersions`);
  add('/apis/', 'getAPIVersions', 'get available API versions', 'apis', `${meta}APIGroupList`);
  add(
    '/version/',
    'getCodeVersion',
    'get the version information for this server',
    'version',
    'io.k8s.apimachinery.pkg.version.Info',
    [json],
  );
  for (const [group, list] of versions) {
    const name = identifier(shortGroup(group), true);
    const tag = identifier(shortGroup(group), false);
    if (group) add(`/apis/${group}/`, `get${name}APIGroup`, 'get information of a group', tag, `${meta}APIGroup`);
    for (const version of list) {
      const id = `get${name}${identifier(version, true)}APIResources`;
      const path = group ? `/apis/${group}/${version}/` : `/api/${version}/`;
      add(path, id, 'get available resources', `${tag}_${version}`, `${meta}APIResourceList`);
    }
  }
  return [...items, ...openidOperations()];
}

function openidOperations(): PathItem[] {
  const one = (path: string, id: string, description: string, type: string): PathItem => ({
    path,
    operations: [
      {
        method: 'get',
        id,
        description,
        tags: [path.slice(1).split('/')[0].replace('.well-known', 'WellKnown')],
        produces: [type],
        parameters: [],
        answers: { 200: 'string' },
      },
    ],
  });
  return [
    one(
      '/.well-known/openid-configuration/',
      'getServiceAccountIssuerOpenIDConfiguration',
      "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'",
      json,
    ),
    one(
      '/openid/v1/jwks/',
      'getServiceAccountIssuerOpenIDKeyset',
      'get service account issuer OpenID JSON Web Key Set (contains public token verification keys)',
      'application/jwk-set+json',
    ),
  ];
}
