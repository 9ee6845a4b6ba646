// Cost estimates of the standard functions, from the sizes of their arguments.

import {
  type AstSize,
  add,
  type CallEstimate,
  fixed,
  mostCost,
  multiply,
  regexFactor,
  scale,
  stringFactor,
  unknownSize,
} from './cost-range.ts';

/** Standard functions whose cost depends on sizes. */
export function standardEstimate(
  overload: string,
  target: AstSize | undefined,
  args: readonly AstSize[],
): CallEstimate | undefined {
  const size = (part: AstSize | undefined) => part?.size ?? unknownSize;
  const [first, second] = args;
  switch (overload) {
    case 'string_format':
      return { cost: scale(size(target), stringFactor) };
    case 'string_to_bytes':
      return {
        cost: scale(size(first), stringFactor),
        size: { min: size(first).min, max: Math.min(mostCost, size(first).max * 4) },
      };
    case 'bytes_to_string':
      return {
        cost: scale(size(first), stringFactor),
        size: { min: Math.floor(size(first).min / 4), max: size(first).max },
      };
    case 'strings_quote':
      return {
        cost: scale(size(first), stringFactor),
        size: { min: size(first).min + 2, max: Math.min(mostCost, size(first).max * 2 + 2) },
      };
    case 'starts_with_string':
    case 'ends_with_string':
      return { cost: scale(size(first), stringFactor) };
    case 'in_list':
      return { cost: size(second) };
    case 'matches_string':
      return { cost: multiply(scale(add(size(target), fixed(1)), stringFactor), scale(size(first), regexFactor)) };
    case 'contains_string':
      return { cost: multiply(scale(size(target), stringFactor), scale(size(first), stringFactor)) };
    default:
      if (!/^(equals|not_equals|(less|greater)(_equals)?_(string|bytes))$/.test(overload)) return undefined;
  }
  const max = Math.min(size(first).max, size(second).max);
  return { cost: scale({ min: max > 0 ? 1 : 0, max }, stringFactor) };
}
