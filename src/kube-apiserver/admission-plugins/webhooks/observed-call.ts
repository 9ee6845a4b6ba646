// The common part of the calls of both kinds of webhooks: metrics, and failures that the configuration ignores.

import { internalError } from '../../../api/api.ts';
import type { AdmissionAttributes } from '../../admission.ts';
import { WebhookFailure } from './failure.ts';
import { observeCall, type WebhookType } from './metrics.ts';
import type { Webhook } from './review.ts';

interface CalledWebhook {
  readonly webhook: Webhook;
  readonly attributes: AdmissionAttributes;
  readonly type: WebhookType;
  /** The annotation of an ignored failure. */
  readonly failedOpen: string;
}

/** Throws the webhook's refusal, and its failure unless failures are ignored. */
export async function observedCall(
  { webhook, attributes, type, failedOpen }: CalledWebhook,
  call: () => Promise<void>,
): Promise<void> {
  const { clock, logger } = attributes.server;
  const startMs = clock.monotonic();
  const observed = () => ({ name: webhook.name, type, seconds: (clock.monotonic() - startMs) / 1_000 });
  try {
    await call();
    observeCall(attributes, observed());
  } catch (error) {
    const isIgnored = error instanceof WebhookFailure && webhook.failurePolicy === 'Ignore';
    observeCall(attributes, observed(), { error, isIgnored });
    if (!(error instanceof WebhookFailure)) throw error;
    const why = `failed calling webhook ${JSON.stringify(webhook.name)}: ${error.message}`;
    if (!isIgnored) throw internalError(why);
    logger.warn('webhook failed, ignored by its failurePolicy', { webhook: webhook.name, error: why });
    attributes.annotate(failedOpen, webhook.name);
  }
}
