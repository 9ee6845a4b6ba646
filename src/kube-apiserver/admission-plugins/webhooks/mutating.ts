import { ApiError, type ApiObject, badRequest, decodeValue, internalError, type Kind } from '../../../api/api.ts';
import type { Client } from '../../../client/client.ts';
import { deepEqual } from '../../../machinery/collections/equal.ts';
import { applyingJsonPatch, mostOperations } from '../../../machinery/patches/json-patch.ts';
import { parseJson } from '../../../machinery/text/json.ts';
import { finishInTurns } from '../../../machinery/time/steps.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../../admission.ts';
import { reinvocationOf } from '../../reinvocation.ts';
import { adopt } from '../adopt.ts';
import { hasNone } from '../policies/cases.ts';
import { converted, type Shown } from '../versions.ts';
import { WebhookFailure } from './failure.ts';
import { type Configured, matcherFor } from './match.ts';
import { observedCall } from './observed-call.ts';
import { type Asking, ask } from './review.ts';
import type { WebhookUsers } from './users.ts';

const resource = 'mutatingwebhookconfigurations';
const name = 'MutatingAdmissionWebhook';

/** Lets programs outside change an object, one after the other. */
export const mutatingWebhook = (client: () => Client, users?: WebhookUsers): AdmissionPlugin => ({
  name,
  admit: (attributes) => (hasNone(attributes, resource) ? undefined : mutateInTurn(attributes, client, users)),
});

async function mutateInTurn(
  attributes: AdmissionAttributes,
  client: () => Client,
  users: WebhookUsers | undefined,
): Promise<void> {
  const matcher = await matcherFor(attributes, client, { resource, type: 'admit' });
  if (!matcher) return;
  const again = reinvocationOf(attributes, name);
  again.begin(attributes);
  for (const configured of matcher.webhooks) {
    const key = `${configured.configuration}/${configured.index}`;
    // Matched with the object after the previous webhooks.
    const shown = await matcher.match(configured);
    if (!shown || again.skips(key)) continue;
    const isChanged = await call(configured, shown, { attributes, client: client(), users }, again.round);
    if (isChanged) again.changed();
    if (configured.webhook.reinvocationPolicy === 'IfNeeded') again.remember(key);
  }
  again.end(attributes);
}

/** Whether the webhook changed the object. Throws its refusal, and its failure unless failures are ignored. */
async function call(configured: Configured, shown: Shown, asking: Asking, round: number): Promise<boolean> {
  const { webhook, configuration, index } = configured;
  const { attributes } = asking;
  const { clock } = attributes.server;
  const startMs = clock.monotonic();
  const place = `round_${round}_index_${index}`;
  const failedOpen = `failed-open.mutation.webhook.admission.k8s.io/${place}`;
  let mutated = false;
  try {
    await observedCall({ webhook, attributes, type: 'admit', failedOpen }, async () => {
      const { patch } = await ask(webhook, shown, true, asking);
      if (patch !== undefined) mutated = await change(configured, shown, attributes, { patch, place });
    });
  } finally {
    if (attributes.waits) attributes.waits.ms += clock.monotonic() - startMs;
    const outcome = { configuration, webhook: webhook.name, mutated };
    attributes.annotate(`mutation.webhook.admission.k8s.io/${place}`, JSON.stringify(outcome));
  }
  return mutated;
}

async function change(
  { webhook, configuration }: Configured,
  shown: Shown,
  attributes: AdmissionAttributes,
  { patch, place }: { readonly patch: string; readonly place: string },
): Promise<boolean> {
  const operations = operationsIn(patch);
  if (!operations.length) return false;
  const { kind, object } = attributes;
  if (!object || !shown.object || attributes.operation === 'CONNECT')
    throw internalError(
      `admission webhook ${JSON.stringify(webhook.name)} attempted to modify the object, which is not supported for this operation`,
    );
  const before = await converted(object, kind, shown.kind);
  const patched = decodedAs(shown.kind, await applied(before, operations));
  const isChanged = !deepEqual(before, patched);
  adopt(kind, object, await converted(patched, shown.kind, kind));
  const said = { configuration, webhook: webhook.name, patch: operations, patchType: 'JSONPatch' };
  attributes.annotate(`patch.webhook.admission.k8s.io/${place}`, JSON.stringify(said), true);
  return isChanged;
}

function operationsIn(patch: string): unknown[] {
  const undecodable = (why: string) => new WebhookFailure(`received undecodable patch in webhook response: ${why}`);
  let operations: unknown;
  try {
    operations = parseJson(patch).value;
  } catch (error) {
    throw undecodable((error as Error).message);
  }
  if (operations === null) return [];
  const isOperation = (one: unknown) => typeof one === 'object' && one !== null && !Array.isArray(one);
  if (!Array.isArray(operations) || !operations.every(isOperation))
    throw undecodable('json: cannot unmarshal value into Go value of type jsonpatch.Patch');
  if (operations.length > mostOperations)
    throw undecodable(`it has ${operations.length} operations, and the maximum is ${mostOperations}`);
  return operations;
}

async function applied(object: ApiObject, operations: readonly unknown[]): Promise<unknown> {
  try {
    return await finishInTurns(applyingJsonPatch(object, operations));
  } catch (error) {
    throw internalError((error as Error).message);
  }
}

/** The result of a webhook must have the shape of its kind; unknown fields are dropped. */
function decodedAs(kind: Kind, value: unknown): ApiObject {
  try {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badRequest('the object is none');
    const { object } = decodeValue(value, kind);
    object.metadata ??= {} as ApiObject['metadata'];
    return object as ApiObject;
  } catch (error) {
    if (error instanceof ApiError) throw internalError(error.message);
    throw error;
  }
}
