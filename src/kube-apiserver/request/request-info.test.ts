import { expect, test } from 'vitest';
import { requestInfo } from './request-info.ts';

test.each([
  { at: 'GET /api/v1/pods', is: 'list /v1 pods' },
  { at: 'GET /api/v1/pods?watch=true', is: 'watch /v1 pods' },
  { at: 'GET /api/v1/pods?watch=false', is: 'list /v1 pods' },
  { at: 'GET /api/v1/watch/namespaces/a/pods', is: 'watch /v1 pods in a' },
  { at: 'GET /api/v1/namespaces/a', is: 'get /v1 namespaces in a named a' },
  { at: 'GET /api/v1/namespaces/a/status', is: 'get /v1 namespaces/status in a named a' },
  { at: 'PUT /api/v1/namespaces/a/finalize', is: 'update /v1 namespaces/finalize in a named a' },
  { at: 'POST /api/v1/namespaces/a/pods', is: 'create /v1 pods in a' },
  { at: 'POST /api/v1/namespaces/a/pods/p/binding', is: 'create /v1 pods/binding in a named p' },
  { at: 'DELETE /apis/apps/v1/namespaces/a/deployments', is: 'deletecollection apps/v1 deployments in a' },
  { at: 'PATCH /apis/apps/v1/namespaces/a/deployments/d/scale', is: 'patch apps/v1 deployments/scale in a named d' },
  { at: 'GET /api/v1/nodes/n/proxy/stats/summary', is: 'get /v1 nodes/proxy named n rest /stats/summary' },
  { at: 'GET /api/v1/namespaces/a/pods/proxy-x/proxy/y', is: 'get /v1 pods/proxy in a named proxy-x rest /y' },
  {
    at: 'GET /api/v1/namespaces/proxy/pods/proxy/proxy/proxy',
    is: 'get /v1 pods/proxy in proxy named proxy rest /proxy',
  },
  {
    at: 'GET /api/v1/namespaces/proxy/services/https:proxy:1/proxy/',
    is: 'get /v1 services/proxy in proxy named https:proxy:1 rest /',
  },
  { at: 'GET /api/v1/namespaces/a/services/s/proxy', is: 'get /v1 services/proxy in a named s' },
  {
    at: 'GET /api/v1/namespaces/a/services/s/proxy/b%2Fc//d',
    is: 'get /v1 services/proxy in a named s rest /b%2Fc//d',
  },
  { at: 'GET /api/v1/namespaces/proxy/pods/p', is: 'get /v1 pods in proxy named p' },
  { at: 'GET /api/v1/proxy/namespaces/a/pods/p/exec', is: 'proxy /v1 pods in a named p' },
  { at: 'POST /api/v1/proxy/nodes/n', is: 'proxy /v1 nodes named n' },
  { at: 'GET /api/v1/watch/namespaces/a/pods/p', is: 'watch /v1 pods in a named p' },
  { at: 'GET /api/v1/watch', is: 'list /v1 watch' },
  { at: 'GET /apis/apps/v1', is: 'not a resource: get' },
  { at: 'GET /healthz', is: 'not a resource: get' },
])('$at', ({ at, is }) => {
  const [method, url] = at.split(' ');
  const [path, query] = url.split('?');
  const info = requestInfo(method, path, new URLSearchParams(query));
  const { verb, group, version, resource, subresource, namespace, name, rest } = info;
  const target = `${verb} ${group}/${version} ${resource}${subresource && `/${subresource}`}`;
  const where = `${namespace && ` in ${namespace}`}${name && ` named ${name}`}${rest && ` rest ${rest}`}`;
  expect(info.isResource ? target + where : `not a resource: ${verb}`).toBe(is);
});
