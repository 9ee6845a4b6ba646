import type { Client } from '../../../client/client.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../../admission.ts';
import { hasNone } from '../policies/cases.ts';
import type { Shown } from '../versions.ts';
import { matcherFor } from './match.ts';
import { observedCall } from './observed-call.ts';
import { type Asking, ask, type Webhook } from './review.ts';
import type { WebhookUsers } from './users.ts';

const resource = 'validatingwebhookconfigurations';

/**
 * Calls validating webhooks. https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
 */
export const validatingWebhook = (client: () => Client, users?: WebhookUsers): AdmissionPlugin => ({
  name: 'ValidatingAdmissionWebhook',
  validate: (attributes) => (hasNone(attributes, resource) ? undefined : askAll(attributes, client, users)),
});

/** Calls all concurrently, waits for all, and throws the first refusal. */
async function askAll(
  attributes: AdmissionAttributes,
  client: () => Client,
  users: WebhookUsers | undefined,
): Promise<void> {
  const matcher = await matcherFor(attributes, client, { resource, type: 'validating' });
  const asked: [Webhook, Shown][] = [];
  for (const configured of matcher?.webhooks ?? []) {
    const shown = await matcher?.match(configured);
    if (shown) asked.push([configured.webhook, shown]);
  }
  if (!asked.length) return;
  const refusals: unknown[] = [];
  const asking = { attributes, client: client(), users };
  const { clock } = attributes.server;
  const startMs = clock.monotonic();
  await Promise.all(
    asked.map(([webhook, shown], index) =>
      call(webhook, shown, asking, index).catch((error: unknown) => void refusals.push(error)),
    ),
  );
  if (attributes.waits) attributes.waits.ms += clock.monotonic() - startMs;
  if (refusals.length) throw refusals[0];
}

function call(webhook: Webhook, shown: Shown, asking: Asking, index: number): Promise<void> {
  const failedOpen = `failed-open.validating.webhook.admission.k8s.io/round_0_index_${index}`;
  const called = { webhook, attributes: asking.attributes, type: 'validating', failedOpen } as const;
  return observedCall(called, async () => void (await ask(webhook, shown, false, asking)));
}
