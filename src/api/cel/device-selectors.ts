// Which devices a claim or a class takes, as an expression over one device.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#device-selectors

import {
  CelSyntaxError,
  celEnvironment,
  checkExpression,
  type Expression,
  ProgramFault,
} from '../../machinery/cel/cel.ts';
import type { SizedType } from '../../machinery/cel/sizes.ts';
import { anyType, boolType, formatType, isDyn, mapType, stringType, structType } from '../../machinery/cel/types.ts';
import { byteLength } from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import { forbiddenField, invalidValue, tooLong } from '../fields.ts';

const mostCost = 1_000_000;
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
/** By domain and then by name. */
const named = (element: SizedType) => sizedMap(domain, sizedMap(id, element));

const fields = new Map<string, SizedType>([
  ['driver', sized(stringType, 63)],
  ['allowMultipleAllocations', sized(boolType, 1)],
  ['attributes', named(sized(anyType, 64))],
  ['capacity', named(sized(structType('kubernetes.Quantity'), 0))],
]);
const device: SizedType = { ...sized(structType('kubernetes.DRADevice'), 0), fields };

const environment = celEnvironment({
  variables: [{ name: 'device', type: device.type }],
  structs: new Map([[device.type.name, { field: (name: string) => fields.get(name)?.type }]]),
  bindings: true,
});

export function deviceSelectorFaults(expression: string, path: string): FieldError[] {
  if (byteLength(expression) > longestExpression) return [tooLong(path, longestExpression)];
  let program: Expression;
  try {
    const checked = checkExpression(expression, environment);
    const { type } = checked;
    if (type.kind !== 'bool' && !isDyn(type))
      return [invalidValue(path, expression, `must evaluate to bool or the unknown type, not ${formatType(type)}`)];
    program = checked.program();
  } catch (error) {
    if (error instanceof CelSyntaxError)
      return [invalidValue(path, expression, `compilation failed: ${error.message}`)];
    if (error instanceof ProgramFault)
      return [
        {
          type: 'InternalError',
          field: path,
          message: `Internal error: program instantiation failed: ${error.message}`,
        },
      ];
    throw error;
  }
  return program.maxCost(device) > mostCost ? [forbiddenField(path, 'too complex, exceeds cost limit')] : [];
}
