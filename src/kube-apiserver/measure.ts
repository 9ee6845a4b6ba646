import type { Stage } from './request.ts';

const seconds = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60];

/** Counts requests and their times under Kubernetes' own metric names. */
export const measure: Stage = async (request, next) => {
  const { metrics, clock } = request.server;
  const { info } = request;
  const begin = clock.monotonic();
  const reply = await next();
  const labels = {
    verb: info.isResource ? info.verb.toUpperCase() : request.method,
    group: info.group,
    version: info.version,
    resource: info.resource,
    subresource: info.subresource,
    scope: !info.isResource ? '' : info.name ? 'resource' : info.namespace ? 'namespace' : 'cluster',
  };
  const code = String(reply.code);
  metrics
    .counter('apiserver_request_total', 'Counter of apiserver requests by verb, resource and code.')
    .add(1, { ...labels, code, component: 'apiserver', dry_run: request.query.get('dryRun') ?? '' });
  if (info.verb !== 'watch')
    metrics
      .histogram('apiserver_request_duration_seconds', 'Response latency distribution in seconds.', seconds)
      .observe((clock.monotonic() - begin) / 1_000, { ...labels, component: 'apiserver', dry_run: '' });
  return reply;
};
