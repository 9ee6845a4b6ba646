import { completing } from '../request/completion.ts';
import type { Reply } from '../request/reply.ts';
import type { ApiRequest, Stage } from '../request/request.ts';
import type { RequestInfo } from '../request/request-info.ts';
import type { SpanAttributes } from '../tracing/tracing.ts';

/** Members' spans continue those of their clients. Any client may send headers, and could force sampling by them. */
const trustedGroups = new Set(['system:masters', 'system:monitoring']);

/** Makes the span of a request. It lasts until the end of the reply's stream. */
export const trace: Stage = async (request, next) => {
  const { server, info, method, user, headers, identified } = request;
  const { tracing, clock } = server;
  if (!tracing) return next();
  const start = {
    name: info.isResource ? `${method} ${templateOf(info)}` : method,
    attributes: attributesOf(request),
    headers,
    isTrusted: user.groups.some((group) => trustedGroups.has(group)),
    startMs: identified?.startMs ?? clock.monotonic(),
  };
  return tracing.request(start, async (span) => {
    if (identified) span.child('Authentication', identified.startMs, identified.endMs);
    try {
      const reply = await next();
      describe(reply, span.set);
      if (reply.code >= 500) span.fail(String(reply.code));
      return completing(request, reply, span);
    } catch (error) {
      // An outer stage makes a Status of it.
      const { code = 500 } = error as { code?: number };
      span.set({ 'http.status_code': code });
      if (code >= 500) span.fail(error instanceof Error ? error.message : String(error));
      span.end();
      throw error;
    }
  });
};

function describe(reply: Reply, set: (attributes: SpanAttributes) => void): void {
  set({ 'http.status_code': reply.code, ...(reply.type === 'list' && { 'k8s.items': reply.items.length }) });
}

/** Names of OpenTelemetry's conventions 1.17, which Kubernetes has. */
function attributesOf({
  method,
  path,
  query,
  rawQuery,
  agent,
  connection,
  audit,
  headers,
}: ApiRequest): SpanAttributes {
  const queryText = rawQuery ?? query.toString();
  const auditId = audit?.id ?? headers['audit-id'];
  return {
    'http.method': method,
    'http.target': queryText ? `${path}?${queryText}` : path,
    ...(agent && { 'user_agent.original': agent }),
    ...(connection && { 'net.sock.peer.addr': connection.remoteAddress }),
    ...(auditId && { 'audit-id': auditId }),
  };
}

/** Kubernetes' names, which are the same for all objects of a resource. */
function templateOf({ group, version, namespace, resource, name, subresource }: RequestInfo): string {
  return [
    group ? `/apis/${group}/${version}` : `/api/${version}`,
    ...(namespace ? ['namespaces/{:namespace}'] : []),
    resource,
    ...(name ? ['{:name}'] : []),
    ...(subresource ? [subresource] : []),
  ].join('/');
}
