// The audit stages of the pipeline. `audit` is outermost, so that it records every response; `auditReceived` runs after
// authentication.

import { parse } from 'yaml';
import type { Status } from '../../api/api.ts';
import { listObject } from '../http/encode.ts';
import { completing } from '../request/completion.ts';
import type { Reply } from '../request/reply.ts';
import type { ApiRequest, Stage } from '../request/request.ts';
import { isLongRunning } from '../request/request-info.ts';
import { type AuditedRequest, AuditRecord, type ResponseStatus } from './record.ts';

export const audit: Stage = async (request, next) => {
  const { auditor } = request.server;
  if (!auditor) return next();
  const record = new AuditRecord(auditor, auditedRequest(request));
  request.audit = record;
  const answer = await next();
  const reply = { ...answer, headers: { ...('headers' in answer ? answer.headers : {}), 'Audit-Id': record.id } };
  if (!record.hasBegun) {
    // No user was authenticated: the request ends here.
    record.begin(undefined);
    record.stage('ResponseStarted', { status: statusOf(reply) });
    return reply;
  }
  if (!record.isOn) return reply;
  if (record.recordsRequest && !record.hasRequestObject) await recordBody(request, record);
  if (isLongRunning(request.info)) record.stage('ResponseStarted', { status: statusOf(reply) });
  return recording(request, reply, record);
};

export const auditReceived: Stage = (request, next) => {
  const { audit: record } = request;
  record?.received(request.user);
  return next();
};

/** The only place where audit reads HTTP. */
function auditedRequest(request: ApiRequest): AuditedRequest {
  const { server, info, headers, agent, path, query, rawQuery, connection } = request;
  const queryText = rawQuery ?? query.toString();
  return {
    // The client may choose it: then the records of several servers can be joined.
    id: headers['audit-id'] || server.random.uuid(),
    info,
    uri: queryText ? `${path}?${queryText}` : path,
    userAgent: agent ?? '',
    sourceIps: sourceIps(headers, connection?.remoteAddress),
    user: () => request.user,
    clock: server.clock,
    metrics: server.metrics,
  };
}

/** The addresses that proxies name, then the one of the connection. */
function sourceIps(headers: ApiRequest['headers'], remoteAddress: string | undefined): string[] {
  const named = [...(headers['x-forwarded-for'] ?? '').split(','), headers['x-real-ip'] ?? '', remoteAddress ?? ''];
  const addresses = named.map((one) => one.trim().replace(/^::ffff:/, '')).filter((one) => /^[\d.]+$|:/.test(one));
  return [...new Set(addresses)];
}

/** Patches and options are recorded unchanged. */
async function recordBody(request: ApiRequest, record: AuditRecord): Promise<void> {
  // A proxied body went on to its backend, and is no object.
  if (!['POST', 'PUT', 'PATCH', 'DELETE'].includes(request.method) || request.info.subresource === 'proxy') return;
  const body = await request.body().catch(() => undefined);
  if (!body) return;
  if ('object' in body) return record.requestObject(body.object);
  try {
    const text = body.bytes.toString();
    record.requestObject(/yaml/.test(body.mediaType) ? parse(text, { maxAliasCount: 100 }) : JSON.parse(text));
  } catch {
    // An invalid body was rejected, and the response shows it.
  }
}

function statusOf(reply: Reply): ResponseStatus {
  const { code } = reply;
  const object: Partial<Status> = reply.type === 'object' ? reply.object : {};
  if (object.kind !== 'Status') return { code };
  const { status, message, reason, details } = object;
  return {
    ...(status && { status }),
    ...(message && { message }),
    ...(reason && { reason }),
    ...(details && { details }),
    code,
  };
}

function objectOf(reply: Reply): object | undefined {
  return reply.type === 'object' ? reply.object : reply.type === 'list' ? listObject(reply) : undefined;
}

/** Records the end of the request. */
function recording(request: ApiRequest, reply: Reply, record: AuditRecord): Reply {
  return completing(request, reply, {
    end() {
      const object = record.recordsResponse ? objectOf(reply) : undefined;
      record.stage('ResponseComplete', { status: statusOf(reply), ...(object && { object }) });
    },
  });
}
