// Which devices a claim or a class takes, as an expression over one device.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#device-selectors

import {
  CelSyntaxError,
  celEnvironment,
  checkExpression,
  type Expression,
  ProgramFault,
} from '../../machinery/cel/cel.ts';
import type { SizedType } from '../../machinery/cel/cost/sizes.ts';
import { anyType, boolType, formatType, isDyn, mapType, stringType, structType } from '../../machinery/cel/types.ts';
import { byteLength } from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import { forbiddenField, invalidValue, tooLong } from '../fields.ts';

export const mostSelectorCost = 1_000_000;
const longestExpression = 10 * 1024;
const mostAttributes = 32;

const sized = (type: SizedType['type'], maxElements: number): SizedType => ({ type, maxElements, minSize: 1 });
const domain = sized(stringType, 63);
const id = sized(stringType, 32);
const sizedMap = (key: SizedType, element: SizedType): SizedType => ({
  ...sized(mapType(key.type, element.type), mostAttributes),
  key,
  element,
});
const attribute = sized(anyType, 64);
/** By domain and then by name. */
const attributes = sizedMap(domain, { ...sizedMap(id, attribute), otherFields: attribute });
const capacity = sizedMap(domain, sizedMap(id, sized(structType('kubernetes.Quantity'), 0)));

const fields = new Map<string, SizedType>([
  ['driver', sized(stringType, 63)],
  ['allowMultipleAllocations', sized(boolType, 1)],
  ['attributes', attributes],
  ['capacity', capacity],
]);
const device: SizedType = { ...sized(structType('kubernetes.DRADevice'), 0), fields };

const environment = celEnvironment({
  variables: [{ name: 'device', type: device.type }],
  structs: new Map([[device.type.name, { field: (name: string) => fields.get(name)?.type }]]),
  bindings: true,
});

type SelectorFault = { readonly fault: string; readonly isInternal: boolean };

/** The program of a selector, or the reason why there is none. */
export function compileSelector(expression: string): Expression | SelectorFault {
  const faulty = (fault: string, isInternal = false) => ({ fault, isInternal });
  try {
    const { type, program } = checkExpression(expression, environment);
    if (type.kind !== 'bool' && !isDyn(type))
      return faulty(`must evaluate to bool or the unknown type, not ${formatType(type)}`);
    return program();
  } catch (error) {
    if (error instanceof CelSyntaxError) return faulty(`compilation failed: ${error.message}`);
    if (error instanceof ProgramFault) return faulty(`program instantiation failed: ${error.message}`, true);
    throw error;
  }
}

/** The cost of the most expensive run. */
export const selectorCost = (program: Expression): number => program.maxCost(device);

export function deviceSelectorFaults(expression: string, path: string): FieldError[] {
  if (byteLength(expression) > longestExpression) return [tooLong(path, longestExpression)];
  const program = compileSelector(expression);
  if ('fault' in program)
    return program.isInternal
      ? [{ type: 'InternalError', field: path, message: `Internal error: ${program.fault}` }]
      : [invalidValue(path, expression, program.fault)];
  return selectorCost(program) > mostSelectorCost ? [forbiddenField(path, 'too complex, exceeds cost limit')] : [];
}
