// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/ (Condition)

import { qualifiedNameFaults } from '../../machinery/text/names.ts';
import { invalidValue, required } from '../fields.ts';
import { all, each, maxBytes, needed, oneOfThese, type Rule, struct, text, unique } from './rules.ts';

const reasonFormat = '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?';
const reasonPattern = new RegExp(`^${reasonFormat}$`);
const reason: Rule = (value: string, path) =>
  reasonPattern.test(value)
    ? []
    : [
        invalidValue(
          path,
          value,
          `a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '${reasonFormat}')`,
        ),
      ];

const condition = struct({
  type: text(qualifiedNameFaults),
  status: oneOfThese('False', 'True', 'Unknown'),
  observedGeneration: (value: number, path) =>
    value < 0 ? [invalidValue(path, value, 'must be greater than or equal to zero')] : [],
  lastTransitionTime: (value, path) => (value ? [] : [required(path)]),
  reason: needed(reason, maxBytes(1024)),
  message: maxBytes(32 * 1024),
});

/** Conditions in the form that all kinds share, each type once. */
export const validateConditions: Rule = all(
  unique(({ type }: { type?: string }) => type ?? '', '.type'),
  each(condition),
);
