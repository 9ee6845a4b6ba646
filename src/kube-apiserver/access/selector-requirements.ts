// Requirements of selectors for authorization. A selector that cannot be read has none: it gives no rights, and the
// request is refused later.

import { type FieldRequirement, parseFieldSelector } from '../../machinery/selectors/field-selector.ts';
import { type LabelSelector, parseLabelSelector } from '../../machinery/selectors/label-selector.ts';

export const fieldRequirements = (text: string | null | undefined): readonly FieldRequirement[] | undefined =>
  requirements(text, parseFieldSelector);

export const labelRequirements = (text: string | null | undefined): LabelSelector['requirements'] | undefined =>
  requirements(text, parseLabelSelector);

function requirements<T>(
  text: string | null | undefined,
  parse: (text: string) => { readonly requirements: readonly T[] },
): readonly T[] | undefined {
  if (!text) return undefined;
  try {
    return parse(text).requirements;
  } catch {
    return undefined;
  }
}
