// The audit events of one request.

import type { ApiObject } from '../../api/api.ts';
import type { Metrics } from '../../machinery/metrics.ts';
import { fieldsIn, isList } from '../../machinery/parsed.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { auditMetrics } from '../metrics/audit-metrics.ts';
import type { RequestInfo } from '../request/request-info.ts';
import type { UserInfo } from '../request/user.ts';
import type { Auditor } from './auditor.ts';
import { type AuditConfig, type AuditStage, configFor } from './policy.ts';
import type { AuditTrail } from './trail.ts';

const levelLabels = {
  None: { level: 'None' },
  Metadata: { level: 'Metadata' },
  Request: { level: 'Request' },
  RequestResponse: { level: 'RequestResponse' },
} as const;

const longestUserAgent = 1024;

export interface ResponseStatus {
  readonly code: number;
  readonly status?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly details?: object;
}

/** The parts of a request in its events; only `auditedRequest` reads them from HTTP. */
export interface AuditedRequest {
  readonly id: string;
  readonly info: RequestInfo;
  readonly uri: string;
  readonly userAgent: string;
  readonly sourceIps: readonly string[];
  /** The effective user, after impersonation. */
  user(): UserInfo;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

export class AuditRecord implements AuditTrail {
  readonly #auditor: Auditor;
  readonly #request: AuditedRequest;
  readonly #receivedMs: number;
  readonly #annotations: Record<string, string> = {};
  #user: UserInfo | undefined;
  #config: AuditConfig | undefined;
  #requestObject: string | undefined;
  #objectRef: Record<string, string> = {};

  constructor(auditor: Auditor, request: AuditedRequest) {
    this.#auditor = auditor;
    this.#request = request;
    this.#receivedMs = request.clock.now();
  }

  /** The response contains it too. */
  get id(): string {
    return this.#request.id;
  }

  received(user: UserInfo): void {
    this.begin(user);
    this.stage('RequestReceived');
  }

  /** Applies the policy, once the user is authenticated or could not be. */
  begin(user: UserInfo | undefined): void {
    this.#user = user;
    this.#config = configFor(this.#auditor.policy, this.#request.info, user);
    auditMetrics(this.#request.metrics).levels.add(1, levelLabels[this.#config.level]);
  }

  get hasBegun(): boolean {
    return this.#config !== undefined;
  }

  get isOn(): boolean {
    return this.#config !== undefined && this.#config.level !== 'None';
  }

  get recordsRequest(): boolean {
    return this.#config?.level === 'Request' || this.recordsResponse;
  }

  get recordsResponse(): boolean {
    return this.#config?.level === 'RequestResponse';
  }

  get hasRequestObject(): boolean {
    return this.#requestObject !== undefined;
  }

  annotate(key: string, value: string, onlyWithBody = false): void {
    if (!onlyWithBody || this.recordsRequest) this.#annotations[key] = value;
  }

  /** The object of the request as it is now; it may change later. */
  requestObject(object: object | undefined): void {
    if (!this.isOn) return;
    const { name, namespace, uid, resourceVersion } = (object as Partial<ApiObject> | undefined)?.metadata ?? {};
    this.#objectRef = {
      ...(name && { name }),
      ...(namespace && { namespace }),
      ...(uid && { uid }),
      ...(resourceVersion && { resourceVersion }),
    };
    if (this.recordsRequest) this.#requestObject = JSON.stringify(this.#shown(object));
  }

  /** Writes the event of a stage, unless the policy leaves it out. */
  stage(stage: AuditStage, response?: { readonly status?: ResponseStatus; readonly object?: object }): void {
    if (!this.#config || !this.isOn || this.#config.omitStages.has(stage)) return;
    const fields = JSON.stringify(this.#event(stage, response?.status)).slice(0, -1);
    const objects = [
      ...(this.#requestObject === undefined ? [] : [`"requestObject":${this.#requestObject}`]),
      ...(response?.object && this.recordsResponse
        ? [`"responseObject":${JSON.stringify(this.#shown(response.object))}`]
        : []),
    ];
    const event = `${[fields, ...objects].join(',')}}`;
    auditMetrics(this.#request.metrics).events.add();
    for (const backend of this.#auditor.backends) backend.write(event);
  }

  #event(stage: AuditStage, responseStatus: ResponseStatus | undefined): object {
    const { info, uri, userAgent, sourceIps, clock } = this.#request;
    const current = this.#request.user();
    const impersonated = this.#user && current !== this.#user && current;
    return {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: this.#config?.level,
      auditID: this.id,
      stage,
      requestURI: uri,
      verb: info.verb,
      user: this.#user ? userOf(this.#user) : {},
      ...(impersonated && { impersonatedUser: userOf(impersonated) }),
      sourceIPs: sourceIps,
      ...(userAgent && {
        userAgent:
          userAgent.length > longestUserAgent ? `${userAgent.slice(0, longestUserAgent)}...TRUNCATED` : userAgent,
      }),
      ...(info.isResource && { objectRef: this.#reference() }),
      ...(responseStatus && { responseStatus: { metadata: {}, ...responseStatus } }),
      requestReceivedTimestamp: microTime(this.#receivedMs),
      stageTimestamp: microTime(clock.now()),
      ...(Object.keys(this.#annotations).length > 0 && { annotations: this.#annotations }),
    };
  }

  #reference(): object {
    const { resource, namespace, name, group, version, subresource } = this.#request.info;
    const { name: objectName = '', namespace: objectNamespace = '', uid, resourceVersion } = this.#objectRef;
    return {
      resource,
      ...((namespace || objectNamespace) && { namespace: namespace || objectNamespace }),
      ...((name || objectName) && { name: name || objectName }),
      ...(uid && { uid }),
      ...(group && { apiGroup: group }),
      apiVersion: version,
      ...(resourceVersion && { resourceVersion }),
      ...(subresource && { subresource }),
    };
  }

  #shown(object: unknown): unknown {
    if (!this.#config?.omitManagedFields) return object;
    const { items } = fieldsIn(object);
    if (isList(items)) return { ...fieldsIn(object), items: items.map(withoutManagedFields) };
    return withoutManagedFields(object);
  }
}

function withoutManagedFields(object: unknown): unknown {
  const fields = fieldsIn(object);
  const { managedFields, ...metadata } = fieldsIn(fields['metadata']);
  return managedFields ? { ...fields, metadata } : object;
}

const userOf = ({ name, uid, groups, extra }: UserInfo): object => ({
  username: name,
  ...(uid && { uid }),
  ...(groups.length > 0 && { groups }),
  ...(extra && Object.keys(extra).length > 0 && { extra }),
});

const microTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, -1)}000Z`;
