// serviceaccounts/token. https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/

import {
  type ApiObject,
  badRequest,
  conflict,
  invalid,
  type Kind,
  notFound,
  type Pod,
  specOf,
  type TokenRequest,
  type TokenRequestSpec,
} from '../../api/api.ts';
import { admit, admitFinally } from '../admission.ts';
import { attributesOf } from '../registry/attributes.ts';
import { decodeShape, served } from '../registry/codec.ts';
import type { Place } from '../registry/operation.ts';
import { newestItem } from '../registry/read/get.ts';
import { cacheOf, checkNamespace, keyOf } from '../registry/target.ts';
import { objectReply, type Reply } from '../request/reply.ts';
import { noSuchResource } from '../status.ts';
import { timestamp } from '../timestamp.ts';
import { asDocument, documentKind } from './document.ts';
import { created, type Subresource } from './subresource.ts';

const requestKind = documentKind('authentication.k8s.io', 'v1', 'TokenRequest');

const leastSeconds = 600;
const mostSeconds = 2 ** 32;

export const token: Subresource = {
  async answer(target, action): Promise<Reply> {
    const { server, kind } = target;
    const content = created(action);
    const wanted = (await decodeShape(target, content, requestKind)) as TokenRequest;
    wanted.metadata ??= {} as TokenRequest['metadata'];
    checkNamespace(target.namespace, wanted);
    const attributes = asDocument(attributesOf(target, 'CREATE', wanted, undefined, content.options), requestKind);
    await admit(server.admission, attributes);
    if (!server.tokens) throw noSuchResource();
    checkMetadata(target, wanted);
    const account = served(kind, await newestItem(target));
    const { name = '', namespace = '', uid = '' } = account.metadata;
    const { uid: askedUid } = wanted.metadata;
    if (askedUid && askedUid !== uid)
      throw conflict(
        { group: requestKind.group, resource: requestKind.kind },
        name,
        `the UID in the token request (${askedUid}) does not match the UID of the service account (${uid})`,
      );
    const spec: Partial<TokenRequestSpec> = wanted.spec ?? {};
    const { tokens } = server;
    const expirationSeconds = Math.min(checkExpiration(spec.expirationSeconds ?? 3_600), tokens.longestSeconds);
    const audiences: string[] = spec.audiences?.length ? spec.audiences : [...tokens.audiences];
    await admitFinally(server.admission, attributes);
    const bound = spec.boundObjectRef ? await boundObject(target, spec.boundObjectRef) : undefined;
    const issued = await tokens.issue({
      namespace,
      serviceAccount: { name, uid },
      audiences,
      expirationSeconds,
      ...bound,
      ...(tokens.extendsTokens &&
        isExtended(expirationSeconds, audiences, bound, tokens.audiences) && { extended: true }),
    });
    return objectReply(201, {
      kind: 'TokenRequest',
      apiVersion: 'authentication.k8s.io/v1',
      metadata: { name, namespace, uid, creationTimestamp: timestamp(server.clock.now()) },
      spec: { audiences, expirationSeconds, boundObjectRef: spec.boundObjectRef ?? null },
      status: issued,
    });
  },
};

/** Lifetime that ServiceAccount admission requests in the token volumes of pods. */
const volumeTokenSeconds = 3_607;

/** https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens */
const isExtended = (
  seconds: number,
  audiences: readonly string[],
  bound: { readonly bound: { readonly kind: string } } | undefined,
  own: readonly string[],
): boolean =>
  seconds === volumeTokenSeconds &&
  bound?.bound.kind === 'Pod' &&
  audiences.every((audience) => own.includes(audience));

function checkMetadata({ name, namespace }: Place, { metadata }: ApiObject): void {
  const refuse = (field: string, value: string, property: string) =>
    invalid(requestKind, name, [
      {
        type: 'FieldValueInvalid',
        field: `metadata.${field}`,
        message: `Invalid value: ${JSON.stringify(value)}: must match the service account ${property} if specified`,
      },
    ]);
  if (metadata.name && metadata.name !== name) throw refuse('name', metadata.name, 'name');
  if (metadata.namespace && metadata.namespace !== namespace)
    throw refuse('namespace', metadata.namespace, 'namespace');
}

function checkExpiration(seconds: number): number {
  const refuse = (why: string) =>
    invalid(requestKind, '', [
      { type: 'FieldValueInvalid', field: 'spec.expirationSeconds', message: `Invalid value: ${seconds}: ${why}` },
    ]);
  if (seconds < leastSeconds) throw refuse('may not specify a duration less than 10 minutes');
  if (seconds > mostSeconds) throw refuse('may not specify a duration larger than 2^32 seconds');
  return seconds;
}

interface Reference {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly name?: string;
  readonly uid?: string;
}

const bindable: Readonly<Record<string, string>> = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' };

/** The object that the token ends with, and for a pod the node it runs on. */
async function boundObject(target: Place, { apiVersion = '', kind = '', name: asked = '', uid: askedUid }: Reference) {
  const resource = apiVersion.includes('/') ? undefined : bindable[kind];
  if (!resource) {
    const [version, group = ''] = apiVersion.split('/').reverse();
    throw badRequest(`cannot bind token to object of type ${group}/${version}, Kind=${kind}`);
  }
  const object = await find(target, resource, asked);
  const { name = '', uid = '' } = object.metadata;
  const pod = resource === 'pods' ? specOf(object as Pod) : undefined;
  if (pod && pod.serviceAccountName !== target.name)
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(target.name)} to pod running with different serviceaccount name.`,
    );
  if (askedUid && askedUid !== uid)
    throw conflict(
      { group: '', resource: kind },
      asked,
      `the UID in the bound object reference (${askedUid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  return { bound: { kind, name, uid }, ...(pod && (await nodeOf(target, pod.nodeName))) };
}

/** A missing node is still named. */
async function nodeOf(target: Place, name: string | undefined) {
  if (!name) return undefined;
  const node = await find(target, 'nodes', name).catch(() => undefined);
  return { node: { name, ...(node?.metadata.uid && { uid: node.metadata.uid }) } };
}

async function find({ server, namespace }: Place, resource: string, name: string): Promise<ApiObject> {
  const kind = server.kinds.byResource('', 'v1', resource) as Kind;
  const cache = await cacheOf(server, kind);
  const item = cache.get(keyOf(kind, namespace, name));
  if (!item) throw notFound(kind, name);
  return item.object;
}
