import { qualifiedNameFaults } from '../../../machinery/text/names.ts';
import type { FieldError } from '../../errors.ts';
import { duplicate, unchanged } from '../../fields.ts';
import type { StorageClass, TopologySelectorTerm } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { nodeLabelWarning } from '../../validation/node-labels.ts';
import { parameters, provisioner } from '../../validation/provisioner.ts';
import { given, need, oneOfThese, struct, text, unique } from '../../validation/rules.ts';

const isDefault = (c: StorageClass) =>
  c.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true' ||
  c.metadata.annotations?.['storageclass.beta.kubernetes.io/is-default-class'] === 'true';

export const storageClass: KindBehaviour<StorageClass> = {
  answersDeleted: true,
  cells: {
    Name: (c) => `${c.metadata.name}${isDefault(c) ? ' (default)' : ''}`,
    Provisioner: (c) => c.provisioner,
    ReclaimPolicy: (c) => c.reclaimPolicy ?? 'Delete',
    VolumeBindingMode: (c) => c.volumeBindingMode ?? '<unset>',
    AllowVolumeExpansion: (c) => c.allowVolumeExpansion ?? false,
  },
  strategy: {
    setDefaults(c) {
      c.reclaimPolicy ??= 'Delete';
      c.volumeBindingMode ??= 'Immediate';
    },
    metadataOnUpdate: ['whole', 'change'],
    validate,
    validateUpdate: (next, old) => [
      ...validate(next),
      ...unchanged('parameters', next.parameters, old.parameters),
      ...unchanged('provisioner', next.provisioner ?? '', old.provisioner ?? ''),
      ...unchanged('reclaimPolicy', next.reclaimPolicy, old.reclaimPolicy),
      ...unchanged('volumeBindingMode', next.volumeBindingMode, old.volumeBindingMode),
    ],
    warnings: (c) =>
      (c.allowedTopologies ?? []).flatMap(({ matchLabelExpressions }, i) =>
        (matchLabelExpressions ?? []).flatMap(({ key }, j) => {
          const warning = nodeLabelWarning(key);
          return warning ? [`allowedTopologies[${i}].matchLabelExpressions[${j}].key: ${warning}`] : [];
        }),
      ),
  },
};

const requirement = struct({ values: [need(), unique()], key: text(qualifiedNameFaults) });

const rules = struct({
  provisioner,
  parameters,
  reclaimPolicy: given(oneOfThese('Delete', 'Retain')),
  volumeBindingMode: oneOfThese('Immediate', 'WaitForFirstConsumer'),
  allowedTopologies: validateTopologies,
});

function validate(c: StorageClass): readonly FieldError[] {
  return rules(c, '');
}

/** Maximum reported repetitions of a term. */
const mostRepeats = 64;

/** Distinct terms. Kubernetes starts with a list of empty terms, so an empty term is a duplicate. */
function validateTopologies(terms: readonly TopologySelectorTerm[] | undefined, path: string): FieldError[] {
  if (!terms?.length) return [];
  const seen = new Map([[identityOf({}), terms.length]]);
  return terms.flatMap((term, index) => {
    const at = `${path}[${index}].matchLabelExpressions`;
    const identity = identityOf(term);
    const before = seen.get(identity) ?? 0;
    seen.set(identity, before + 1);
    return [
      ...validateTerm(term, at),
      ...Array.from({ length: Math.min(before, mostRepeats) }, () => duplicate(at, '')),
    ];
  });
}

function validateTerm({ matchLabelExpressions }: TopologySelectorTerm, path: string): FieldError[] {
  const keys = new Set<string>();
  return (matchLabelExpressions ?? []).flatMap((expression, index) => {
    const { key = '' } = expression;
    const errors = [...requirement(expression, `${path}[${index}]`)];
    if (keys.has(key)) errors.push(duplicate(`${path}[${index}].key`, key));
    keys.add(key);
    return errors;
  });
}

const identityOf = ({ matchLabelExpressions }: TopologySelectorTerm): string =>
  JSON.stringify(
    [...new Map((matchLabelExpressions ?? []).map(({ key, values }) => [key, [...new Set(values)].sort()]))].sort(),
  );
