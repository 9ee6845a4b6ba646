// Subresources that lead to a running pod: log, exec, attach, portforward and proxy.
// https://kubernetes.io/docs/concepts/architecture/control-plane-node-communication/

import { badRequest, type FieldError, forbidden, invalid, type Pod, specOf } from '../../api/api.ts';
import { decide } from '../access/authorization.ts';
import { admitWhole } from '../admission.ts';
import { connectionAttributes } from '../registry/attributes.ts';
import { served } from '../registry/codec.ts';
import type { Operation, Target } from '../registry/operation.ts';
import { newestItem } from '../registry/read/get.ts';
import { int64Fault } from '../request/query.ts';
import type { RawReply, Reply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { attributesOf as authorized } from '../stages/authorize.ts';
import { connectOptions } from './connect-options.ts';
import { forwardHttp, textOf } from './forward.ts';
import { forwardUpgrade } from './forward-upgrade.ts';
import { kubeletOf } from './kubelet-address.ts';
import { nodeProxy, podProxy, serviceProxy } from './proxy.ts';
import type { Connect } from './subresource.ts';

async function podOf(target: Target): Promise<Pod> {
  return served(target.kind, await newestItem(target)) as Pod;
}

const namesOf = (containers: readonly { name: string }[] | undefined): string[] =>
  (containers ?? []).map(({ name }) => name);

/** The requested container, or the only one. Throws 400 in Kubernetes' words. */
function containerOf(pod: Pod, asked: string): string {
  const { name } = pod.metadata;
  const spec = specOf(pod);
  const own = namesOf(spec.containers);
  const init = namesOf(spec.initContainers);
  const ephemeral = namesOf(spec.ephemeralContainers);
  if (asked) {
    if ([...own, ...init, ...ephemeral].includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  if (own.length === 1) return own[0];
  const others = init.length ? ` or one of the init containers: [${init.join(' ')}]` : '';
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${own.join(' ')}]${others}`);
}

/** Numbers of PodLogOptions and the least that each may be. */
const logNumbers: Readonly<Record<string, { least: number; says: string }>> = {
  sinceSeconds: { least: 1, says: 'must be greater than 0' },
  tailLines: { least: 0, says: 'must be greater than or equal to 0' },
  limitBytes: { least: 1, says: 'must be greater than 0' },
};

function checkLogOptions(query: URLSearchParams, name: string): void {
  const faults = Object.entries(logNumbers).flatMap(([field, { least, says }]): FieldError[] => {
    const value = query.get(field);
    if (value === null) return [];
    const fault = int64Fault(value);
    if (fault) throw badRequest(`unable to decode the request's query parameters: ${fault}`);
    return Number(value) >= least
      ? []
      : [{ type: 'FieldValueInvalid', field, message: `Invalid value: ${value}: ${says}` }];
  });
  if (query.has('sinceSeconds') && query.has('sinceTime'))
    faults.push({
      type: 'FieldValueForbidden',
      field: '',
      message: 'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified',
    });
  if (faults.length) throw invalid({ group: '', kind: 'PodLogOptions' }, name, faults);
}

/** Query parameters for the API server only. */
const notForKubelet = new Set(['container', 'insecureSkipTLSVerifyBackend', 'pretty']);

function forKubelet(query: URLSearchParams): string {
  const kept = new URLSearchParams([...query].filter(([name]) => !notForKubelet.has(name)));
  return kept.size ? `?${kept}` : '';
}

const log: Connect = {
  async connect(target, request): Promise<Reply> {
    const { server, namespace, name } = target;
    checkLogOptions(request.query, name);
    const pod = await podOf(target);
    const container = containerOf(pod, request.query.get('container') ?? '');
    // A pod without a node has no log yet.
    const { nodeName } = specOf(pod);
    if (!nodeName) return { type: 'raw', code: 204, contentType: '', body: '' };
    const kubelet = await kubeletOf(server, nodeName);
    const path = `/containerLogs/${namespace}/${name}/${container}${forKubelet(request.query)}`;
    const reply = await forwardHttp(request, kubelet, path, { purpose: 'log' });
    return reply.code < 400 ? { ...reply, contentType: reply.contentType || 'text/plain' } : refusal(reply);
  },
};

/** Longer than any error of a kubelet. */
const mostRefusal = 64 << 10;

/** The kubelet's plain-text error becomes a Status. */
async function refusal(reply: RawReply): Promise<never> {
  throw badRequest((await textOf(reply, mostRefusal)).trim() || `the kubelet answered ${reply.code}`);
}

/** A WebSocket begins with a GET, but the right to read must not allow running programs. */
async function mustBeAllowed({ server, kind, name }: Operation, request: ApiRequest, verb: string): Promise<void> {
  if (request.info.verb === verb) return; // authorized already
  const attributes = { ...(await authorized(request)), verb };
  const { decision, reason = '' } = await decide(server.authorizers, attributes);
  if (decision !== 'allow') throw forbidden(kind, name, reason);
}

const remote = (verb: 'exec' | 'attach' | 'portForward'): Connect => ({
  async connect(target, request): Promise<Reply> {
    const { server, namespace, name } = target;
    await admitWhole(target.server.admission, connectionAttributes(target, connectOptions(target, request)));
    await mustBeAllowed(target, request, 'create');
    const pod = await podOf(target);
    const { query } = request;
    const container = verb === 'portForward' ? '' : `/${containerOf(pod, query.get('container') ?? '')}`;
    const { nodeName } = specOf(pod);
    if (!nodeName) throw badRequest(`pod ${name} does not have a host assigned`);
    const { phase = '' } = pod.status ?? {};
    if (verb !== 'portForward' && ['Succeeded', 'Failed'].includes(phase))
      throw badRequest(`cannot exec or attach to a container in a completed pod; current phase is ${phase}`);
    const kubelet = await kubeletOf(server, nodeName);
    if (!request.connection?.upgrade) throw badRequest('Upgrade request required');
    const path = `/${verb}/${namespace}/${name}${container}${translated(query)}`;
    return forwardUpgrade(request, kubelet, path);
  },
});

/** Clients use stdin, stdout, stderr and ports; the kubelet's interface has input, output, error and port. */
function translated(query: URLSearchParams): string {
  const names: Readonly<Record<string, string>> = { stdin: 'input', stdout: 'output', stderr: 'error' };
  const parameters = new URLSearchParams();
  for (const [name, value] of query) {
    if (notForKubelet.has(name)) continue;
    if (name in names || name === 'tty') {
      if (value !== 'false' && value !== '0') parameters.append(names[name] ?? name, '1');
    } else parameters.append(name === 'ports' ? 'port' : name, value);
  }
  return parameters.size ? `?${parameters}` : '';
}

export const connects: Readonly<Record<string, Connect>> = {
  'pods/log': log,
  'pods/exec': remote('exec'),
  'pods/attach': remote('attach'),
  'pods/portforward': remote('portForward'),
  'pods/proxy': podProxy,
  'services/proxy': serviceProxy,
  'nodes/proxy': nodeProxy,
};
