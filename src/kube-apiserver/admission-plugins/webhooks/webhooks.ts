import {
  type ApiObject,
  forbidden,
  internalError,
  type Kind,
  type MutatingWebhook,
  type ValidatingWebhook,
} from '../../../api/api.ts';
import type { Client } from '../../../client/client.ts';
import { applyJsonPatch } from '../../../machinery/patches/json-patch.ts';
import { parseExact } from '../../../machinery/text/exact-json.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../../admission.ts';
import { failure } from '../../status.ts';
import { adopt } from '../adopt.ts';
import { cached, hasNone } from '../policies/cases.ts';
import { compiledConditions } from '../policies/compiled.ts';
import { matchedKind, namespaceOf } from '../policies/match.ts';
import { Questions } from '../policies/questions.ts';
import { requestOf } from '../policies/request.ts';
import { conditionsHold } from '../policies/round.ts';
import { converted, shownAs } from '../versions.ts';
import { type AdmissionResponse, callWebhook } from './call.ts';
import type { WebhookUsers } from './users.ts';

const validating = 'validatingwebhookconfigurations';
const mutating = 'mutatingwebhookconfigurations';

type Webhook = ValidatingWebhook & Pick<MutatingWebhook, 'reinvocationPolicy'>;

/** A matching webhook, and the version of its objects. */
type Asked = Webhook & { readonly kind: Kind };

/**
 * Calls validating webhooks. https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
 */
export const validatingWebhook = (client: () => Client, users?: WebhookUsers): AdmissionPlugin => ({
  name: 'ValidatingAdmissionWebhook',
  validate: (attributes) => (hasNone(attributes, validating) ? undefined : askAll(attributes, client, users)),
});

/** Calls all concurrently; reports the first rejection. */
async function askAll(
  attributes: AdmissionAttributes,
  client: () => Client,
  users: WebhookUsers | undefined,
): Promise<void> {
  const asked = await webhooksFor(attributes, client, validating);
  await Promise.all(asked.map((webhook) => ask(webhook, attributes, client(), users)));
}

/** Lets programs outside change an object, one after the other. */
export const mutatingWebhook = (client: () => Client, users?: WebhookUsers): AdmissionPlugin => ({
  name: 'MutatingAdmissionWebhook',
  admit: (attributes) => (hasNone(attributes, mutating) ? undefined : mutateInTurn(attributes, client, users)),
});

async function mutateInTurn(
  attributes: AdmissionAttributes,
  client: () => Client,
  users: WebhookUsers | undefined,
): Promise<void> {
  const asked = await webhooksFor(attributes, client, mutating);
  let lastChange = -1;
  for (const [index, webhook] of asked.entries())
    if (await mutate(webhook, attributes, client(), users)) lastChange = index;
  // Webhooks called before the last change may ask to be called again.
  for (const webhook of asked.slice(0, Math.max(lastChange, 0)))
    if (webhook.reinvocationPolicy === 'IfNeeded') await mutate(webhook, attributes, client(), users);
}

/** Webhooks with matching rules, selectors and conditions, ordered by configuration name. */
async function webhooksFor(
  attributes: AdmissionAttributes,
  client: () => Client,
  resource: string,
): Promise<readonly Asked[]> {
  if (attributes.kind.group === 'admissionregistration.k8s.io') return [];
  const configurations = await cached(attributes, resource);
  if (!configurations.length) return [];
  const namespace = await namespaceOf(attributes, client());
  const questions = new Questions(attributes);
  const found: Asked[] = [];
  for (const webhook of configurations.flatMap((configuration): Webhook[] => configuration.webhooks ?? [])) {
    const { rules = [], namespaceSelector, objectSelector, matchPolicy } = webhook;
    const match = { resourceRules: [...rules], namespaceSelector, objectSelector, matchPolicy };
    const kind = rules.length ? matchedKind(match, attributes, namespace) : undefined;
    if (kind && (await isMeant({ ...webhook, kind }, attributes, questions))) found.push({ ...webhook, kind });
  }
  return found;
}

/** Failing conditions reject the request, unless the failure policy is Ignore. */
async function isMeant(
  { matchConditions, failurePolicy, kind }: Asked,
  attributes: AdmissionAttributes,
  questions: Questions,
): Promise<boolean> {
  if (!matchConditions?.length) return true;
  const { holds, fault } = await conditionsHold(
    compiledConditions(matchConditions),
    { attributes, shown: await shownAs(kind, attributes), questions },
    failurePolicy,
  );
  if (fault === undefined) return holds;
  throw forbidden(attributes.kind, attributes.name, fault);
}

/** Undefined when the webhook failed and its failures are ignored. Throws the refusal. */
async function ask(
  { name, clientConfig, failurePolicy, timeoutSeconds = 10, kind }: Asked,
  attributes: AdmissionAttributes,
  client: Client,
  users: WebhookUsers | undefined,
): Promise<AdmissionResponse | undefined> {
  const { server } = attributes;
  const { object, oldObject } = await shownAs(kind, attributes);
  const uid = server.random.uuid();
  const review = {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: { uid, ...requestOf(attributes, kind), object: object ?? null, oldObject: oldObject ?? null },
  };
  let response: AdmissionResponse;
  try {
    response = await callWebhook({ clientConfig, review, timeoutSeconds, client, clock: server.clock, users });
  } catch (error) {
    const why = `failed calling webhook ${JSON.stringify(name)}: ${(error as Error).message}`;
    if (failurePolicy !== 'Ignore') throw internalError(why);
    server.logger.warn('webhook failed, ignored by its failure policy', { webhook: name, error: why });
    return undefined;
  }
  for (const warning of response.warnings ?? []) attributes.warn(warning);
  if (!response.allowed) throw denial(name, response);
  return response;
}

function denial(name: string, { status = {} }: AdmissionResponse) {
  const by = `admission webhook ${JSON.stringify(name)} denied the request`;
  const why = status.message || status.reason;
  const code = status.code && status.code >= 400 ? status.code : 400;
  return failure(code, status.reason, why ? `${by}: ${why}` : `${by} without explanation`);
}

/** Whether the webhook changed the object. */
async function mutate(
  webhook: Asked,
  attributes: AdmissionAttributes,
  client: Client,
  users: WebhookUsers | undefined,
): Promise<boolean> {
  const response = await ask(webhook, attributes, client, users);
  if (!response?.patch || !attributes.object) return false;
  const object = attributes.object as ApiObject;
  try {
    if (response.patchType !== 'JSONPatch')
      throw new Error('webhook response has a patch but patchType is not JSONPatch');
    const operations = parseExact(Buffer.from(response.patch, 'base64').toString());
    const patched = applyJsonPatch(await converted(object, attributes.kind, webhook.kind), operations);
    adopt(attributes.kind, object, await converted(patched, webhook.kind, attributes.kind));
    return operations.length > 0;
  } catch (error) {
    const why = `failed calling webhook ${JSON.stringify(webhook.name)}: ${(error as Error).message}`;
    if (webhook.failurePolicy !== 'Ignore') throw internalError(why);
    return false;
  }
}
