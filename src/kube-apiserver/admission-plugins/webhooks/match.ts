// Which webhooks a request is for.

import { type ApiObject, forbidden, type Kind, type KubeObject } from '../../../api/api.ts';
import type { Client } from '../../../client/client.ts';
import type { AdmissionAttributes } from '../../admission.ts';
import { cached } from '../policies/cases.ts';
import { compiledConditions } from '../policies/compiled.ts';
import { matchedKind, namespaceOf } from '../policies/match.ts';
import { Questions } from '../policies/questions.ts';
import { conditionsHold } from '../policies/round.ts';
import { type Shown, shownAs } from '../versions.ts';
import type { WebhookType } from './metrics.ts';
import type { Webhook } from './review.ts';

interface WebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly Webhook[];
}

export interface Configured {
  readonly webhook: Webhook;
  readonly configuration: string;
  /** Its place among the webhooks of all configurations. */
  readonly index: number;
}

/** Decides about one webhook after the other, with the object as it is at that time. */
interface Matcher {
  readonly webhooks: readonly Configured[];
  /** The version and the objects that the webhook sees; undefined if it is not called. Throws a 403. */
  match(configured: Configured): Promise<Shown | undefined>;
}

/** Ordered by the names of the configurations. Undefined: no webhook may be called. */
export async function matcherFor(
  attributes: AdmissionAttributes,
  client: () => Client,
  { resource, type }: { readonly resource: string; readonly type: WebhookType },
): Promise<Matcher | undefined> {
  if (attributes.kind.group === 'admissionregistration.k8s.io') return undefined;
  const configurations = await cached(attributes, resource);
  const webhooks = configurations
    .flatMap((configuration) =>
      ((configuration as WebhookConfiguration).webhooks ?? []).map((webhook) => ({
        webhook,
        configuration: configuration.metadata.name ?? '',
      })),
    )
    .map((one, index) => ({ ...one, index }));
  if (!webhooks.length) return undefined;
  const namespace = await namespaceOf(attributes, client());
  const questions = new Questions(attributes);
  return {
    webhooks,
    async match({ webhook }) {
      const kind = kindFor(webhook, attributes, namespace);
      if (!kind) return undefined;
      const shown = await shownAs(kind, attributes);
      return (await conditionsMet(webhook, { attributes, shown, questions }, type)) ? shown : undefined;
    },
  };
}

function kindFor(
  { rules = [], namespaceSelector, objectSelector, matchPolicy }: Webhook,
  attributes: AdmissionAttributes,
  namespace: ApiObject | undefined,
): Kind | undefined {
  const match = { resourceRules: [...rules], namespaceSelector, objectSelector, matchPolicy };
  return rules.length ? matchedKind(match, attributes, namespace) : undefined;
}

/** Failing conditions reject the request, unless the failure policy is Ignore. */
async function conditionsMet(
  { name, matchConditions, failurePolicy }: Webhook,
  inputs: { readonly attributes: AdmissionAttributes; readonly shown: Shown; readonly questions: Questions },
  type: WebhookType,
): Promise<boolean> {
  if (!matchConditions?.length) return true;
  const { holds, fault } = await conditionsHold(compiledConditions(matchConditions), inputs, {
    failurePolicy,
    name,
    kind: 'webhook',
    type,
  });
  if (fault === undefined) return holds;
  const { kind, name: object } = inputs.attributes;
  throw forbidden(kind, object, fault);
}
