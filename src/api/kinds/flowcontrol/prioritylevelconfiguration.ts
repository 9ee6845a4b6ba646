import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, notSupported, required, sameValue } from '../../fields.ts';
import type {
  LimitResponse,
  PriorityLevelConfiguration,
  PriorityLevelConfigurationSpec,
  QueuingConfiguration,
} from '../../generated/types.ts';
import { internal } from '../../internal.ts';
import type { KindBehaviour } from '../../kind.ts';
import { flowConditions } from '../../validation/flow-status.ts';
import { atLeast, type Rule, range, set, struct } from '../../validation/rules.ts';
import { none } from '../cells.ts';
import { keepMetadata } from '../keep-metadata.ts';

const queuing = (p: PriorityLevelConfiguration) => p.spec?.limited?.limitResponse?.queuing;

export const priorityLevelConfiguration: KindBehaviour<PriorityLevelConfiguration> = {
  hasGeneration: true,
  cells: {
    Type: (p) => p.spec?.type ?? '',
    NominalConcurrencyShares: (p) => p.spec?.limited?.nominalConcurrencyShares ?? none,
    Queues: (p) => queuing(p)?.queues ?? none,
    HandSize: (p) => queuing(p)?.handSize ?? none,
    QueueLengthLimit: (p) => queuing(p)?.queueLengthLimit ?? none,
  },
  strategy: {
    setDefaults(p) {
      const { limited, exempt } = p.spec ?? {};
      if (exempt) {
        exempt.nominalConcurrencyShares ??= 0;
        exempt.lendablePercent ??= 0;
      }
      if (!limited) return;
      limited.nominalConcurrencyShares ??= 30;
      limited.lendablePercent ??= 0;
      const q = limited.limitResponse?.queuing;
      if (!q) return;
      q.queues ||= 64;
      q.handSize ||= 8;
      q.queueLengthLimit ||= 50;
    },
    metadataOnUpdate: ['whole'],
    validate,
    subresources: {
      status: {
        resetFields: [['metadata']],
        prepareForUpdate: keepMetadata,
        validateUpdate: ({ status }) => flowConditions(status?.conditions, 'status.conditions'),
      },
    },
  },
};

const preserveZero = 'flowcontrol.k8s.io/preserve-zero-concurrency-shares';

function validate({ metadata, spec, status }: PriorityLevelConfiguration): FieldError[] {
  return [
    ...(metadata.annotations?.[preserveZero] === undefined
      ? []
      : [forbiddenField('metadata.annotations', `annotation '${preserveZero}' is forbidden`)]),
    ...validateSpec(spec ?? ({} as PriorityLevelConfigurationSpec), metadata.name),
    ...validateMandatory(spec, metadata.name),
    ...flowConditions(status?.conditions, 'status.conditions'),
  ];
}

function validateSpec(spec: PriorityLevelConfigurationSpec, name: string): FieldError[] {
  const { type, limited, exempt } = spec;
  const errors =
    (name === 'exempt') === (type === 'Exempt')
      ? []
      : [invalidValue('spec.type', type ?? '', "must be 'Exempt' if and only if `name` is 'exempt'")];
  switch (type) {
    case 'Exempt':
      if (limited) errors.push(forbiddenField('spec.limited', 'must be nil if the type is not Limited'));
      return [...errors, ...exemptRules(exempt, 'spec.exempt')];
    case 'Limited':
      if (exempt) errors.push(forbiddenField('spec.exempt', 'must be nil if the type is Limited'));
      if (!limited) return [...errors, required('spec.limited', 'must not be empty when type is Limited')];
      return [...errors, ...limitedRules(limited, 'spec.limited')];
    default:
      return [...errors, notSupported('spec.type', type ?? '', ['Exempt', 'Limited'])];
  }
}

const mostQueues = 10_000_000;
const mostEntropyBits = 60;
const positive = atLeast(1, 'must be positive');

const queuingRules = struct({
  queueLengthLimit: positive,
  queues: [
    positive,
    (count: number, path) =>
      count > mostQueues ? [invalidValue(path, count, `must not be greater than ${mostQueues}`)] : [],
  ],
  handSize: (hand: number | undefined = 0, path, { queues = 0 }: Partial<QueuingConfiguration>) => {
    if (hand <= 0) return positive(hand, path);
    if (hand > queues) return [invalidValue(path, hand, `should not be greater than queues (${queues})`)];
    const why = `required entropy bits of deckSize ${queues} and handSize ${hand} should not be greater than ${mostEntropyBits}`;
    return Math.ceil(Math.log2(queues) * hand) > mostEntropyBits ? [invalidValue(path, hand, why)] : [];
  },
});

const limitResponse: Rule = (response: Partial<LimitResponse> | undefined, path) => {
  const { type, queuing } = response ?? {};
  const at = `${path}.queuing`;
  switch (type) {
    case 'Reject':
      return queuing ? [forbiddenField(at, 'must be nil if limited.limitResponse.type is not Limited')] : [];
    case 'Queue':
      return queuing
        ? queuingRules(queuing, at)
        : [required(at, 'must not be empty if limited.limitResponse.type is Limited')];
    default:
      return [notSupported(`${path}.type`, type ?? '', ['Queue', 'Reject'])];
  }
};

const shares = set(atLeast(0, 'must be a non-negative integer'));
const percent = set(range(0, 100));
const limitedRules = struct({
  nominalConcurrencyShares: shares,
  limitResponse,
  lendablePercent: percent,
  borrowingLimitPercent: set(atLeast(0, 'if specified, must be a non-negative integer')),
});
const exemptRules = struct({ nominalConcurrencyShares: shares, lendablePercent: percent });

const catchAll = {
  type: 'Limited',
  limited: { nominalConcurrencyShares: 5, limitResponse: { type: 'Reject' }, lendablePercent: 0 },
};

/** The two levels that must exist for any request to be answered. */
function validateMandatory(spec: PriorityLevelConfigurationSpec | undefined, name: string): FieldError[] {
  const isExempt = name === 'exempt';
  if (!isExempt && name !== 'catch-all') return [];
  const { exempt: _, ...rest } = spec ?? ({} as PriorityLevelConfigurationSpec);
  if (isExempt ? sameValue(rest, { type: 'Exempt' }) : sameValue(spec, catchAll)) return [];
  const shown = internal('flowcontrol.PriorityLevelConfigurationSpec', spec);
  const but = isExempt ? " except the 'spec.exempt' field" : '';
  return [invalidValue('spec', shown, `spec of '${name}'${but} must equal the fixed value`)];
}
