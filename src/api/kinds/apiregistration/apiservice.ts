import { dns1123LabelFaults, dns1123SubdomainFaults } from '../../../machinery/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, invalidValues, required } from '../../fields.ts';
import type { APIService } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';

export const apiService: KindBehaviour<APIService> = {
  cells: {
    Service: (s) => (s.spec?.service ? `${s.spec.service.namespace}/${s.spec.service.name}` : 'Local'),
    Available: (s) => {
      const available = s.status?.conditions?.find(({ type }) => type === 'Available');
      if (!available) return 'Unknown';
      return available.status === 'True' ? 'True' : `${available.status} (${available.reason})`;
    },
  },
  strategy: {
    setDefaults(s) {
      if (s.spec?.service) s.spec.service.port ??= 443;
    },
    prepareForCreate(s) {
      // What this server answers itself is there at once.
      if (!s.spec?.service)
        s.status = {
          conditions: [
            {
              type: 'Available',
              status: 'True',
              lastTransitionTime: s.metadata.creationTimestamp,
              reason: 'Local',
              message: 'Local APIServices are always available',
            },
          ],
        };
    },
    validate(s) {
      const { group = '', version = '', groupPriorityMinimum = 0, versionPriority = 0 } = s.spec ?? {};
      const errors: FieldError[] = [];
      const wanted = `${version}.${group}`;
      if (s.metadata.name !== wanted)
        errors.push(
          invalidValue('metadata.name', s.metadata.name, `must be \`spec.version+"."+spec.group\`: "${wanted}"`),
        );
      if (group) errors.push(...invalidValues('spec.group', group, dns1123SubdomainFaults(group)));
      errors.push(
        ...(version ? invalidValues('spec.version', version, dns1123LabelFaults(version)) : [required('spec.version')]),
      );
      if (groupPriorityMinimum <= 0 || groupPriorityMinimum > 20000)
        errors.push(
          invalidValue('spec.groupPriorityMinimum', groupPriorityMinimum, 'must be positive and less than 20000'),
        );
      if (versionPriority <= 0 || versionPriority > 1000)
        errors.push(invalidValue('spec.versionPriority', versionPriority, 'must be positive and less than 1000'));
      return errors;
    },
  },
};
