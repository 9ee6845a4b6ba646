// One requirement of a selector of labels.

export type Operator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';

export interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

/** Whether a value (undefined: absent) meets a requirement; node affinity uses the same operators. */
export function meetsRequirement(
  { operator, values = [] }: { readonly operator: string; readonly values?: readonly string[] },
  value: string | undefined,
): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && isAmong(values, value);
    case 'NotIn':
      return value === undefined || !isAmong(values, value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
    case 'Lt': {
      const [number, bound] = [integerOf(value), integerOf(values[0])];
      if (number === undefined || bound === undefined) return false;
      return operator === 'Gt' ? number > bound : number < bound;
    }
    default:
      return false;
  }
}

/** An integer of 64 bits, as Go's strconv.ParseInt reads it. */
export function integerOf(text: string | undefined): bigint | undefined {
  if (text === undefined || !/^[+-]?0*\d{1,19}$/.test(text)) return undefined;
  const value = BigInt(text.replace(/^\+/, ''));
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

/** Values that a list is searched for; a longer one becomes a set, once. */
const shortList = 16;
const sets = new WeakMap<readonly string[], ReadonlySet<string>>();

function isAmong(values: readonly string[], value: string): boolean {
  if (values.length <= shortList) return values.includes(value);
  let set = sets.get(values);
  if (!set) sets.set(values, (set = new Set(values)));
  return set.has(value);
}
