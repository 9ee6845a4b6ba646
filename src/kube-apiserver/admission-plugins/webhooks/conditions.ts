import { CelError, type ValidatingWebhook } from '../../../api/api.ts';

/** False when a condition says that the webhook is not about this. An error counts as the webhook's own failure. */
export function conditionsHold(
  { name, failurePolicy, matchConditions = [] }: ValidatingWebhook,
  run: (expression: string) => unknown,
  refuse: (why: string) => Error,
): boolean {
  let fault: string | undefined;
  for (const { name: condition, expression } of matchConditions)
    try {
      if (run(expression) !== true) return false;
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      fault ??= `matchCondition ${JSON.stringify(condition)} of webhook ${JSON.stringify(name)}: ${error.message}`;
    }
  if (fault && failurePolicy !== 'Ignore') throw refuse(fault);
  return !fault;
}
