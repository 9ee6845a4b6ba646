import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../../fields.ts';
import type { PriorityLevelConfiguration } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { none } from '../cells.ts';

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
    validate(p) {
      const { type, limited, exempt } = p.spec ?? ({} as NonNullable<PriorityLevelConfiguration['spec']>);
      const errors: FieldError[] = [];
      if (type !== 'Exempt' && type !== 'Limited') errors.push(notSupported('spec.type', type, ['Exempt', 'Limited']));
      if (type === 'Exempt' && limited)
        errors.push(forbiddenField('spec.limited', 'must be nil if the type is not Limited'));
      if (type === 'Limited' && !limited)
        errors.push(required('spec.limited', 'must not be empty when type is Limited'));
      if (type === 'Limited' && exempt)
        errors.push(forbiddenField('spec.exempt', 'must be nil if the type is Limited'));
      const shares = limited?.nominalConcurrencyShares;
      if (shares !== undefined && shares < 0)
        errors.push(invalidValue('spec.limited.nominalConcurrencyShares', shares, 'must be a non-negative integer'));
      return errors;
    },
  },
};
