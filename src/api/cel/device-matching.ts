// Whether a device matches a selector: the expression runs over the device's attributes and capacity.
// https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#device-selectors

import {
  CelMap,
  CostExceeded,
  EntryMap,
  EvaluationFault,
  quantityOf,
  typeNameOf,
  type Value,
  versionOf,
} from '../../machinery/cel/cel.ts';
import type { Device, DeviceAttribute } from '../generated/types.ts';
import { compileSelector, mostSelectorCost } from './device-selectors.ts';

/** The expression fails for this device, or is no selector at all. */
export class DeviceSelectorError extends Error {
  override readonly name = 'DeviceSelectorError';
}

interface SelectorResult {
  readonly matches: boolean;
  /** In CEL's units. */
  readonly cost: number;
}

export interface DeviceMatcher {
  /** Throws DeviceSelectorError. */
  match(driver: string, device: Device): SelectorResult;
}

type Selectable = Pick<Device, 'attributes' | 'capacity' | 'allowMultipleAllocations'>;

/** Throws DeviceSelectorError. */
export function deviceMatcher(expression: string): DeviceMatcher {
  const program = compileSelector(expression);
  if ('fault' in program) throw new DeviceSelectorError(`CEL compile error: ${program.fault}`);
  return {
    match(driver, device) {
      let cost = 0;
      try {
        const value = program.run({ device: deviceValue(driver, device) }, mostSelectorCost, (spent) => {
          cost = spent;
        });
        return { matches: asBool(value), cost };
      } catch (error) {
        if (error instanceof EvaluationFault || error instanceof CostExceeded)
          throw new DeviceSelectorError(`CEL runtime error: ${error.message}`);
        throw error;
      }
    },
  };
}

const goNames: Readonly<Record<string, string>> = { bytes: 'Bytes', double: 'Double' };

function asBool(value: Value): boolean {
  if (typeof value === 'boolean') return value;
  const type = typeNameOf(value);
  const why =
    type === 'int'
      ? "unsupported type conversion from 'int' to bool"
      : type === 'string'
        ? "unsupported native conversion from string to 'bool'"
        : `type conversion error from ${goNames[type] ?? type} to 'bool'`;
  throw new EvaluationFault(`CEL result of type ${type} could not be converted to bool: ${why}`);
}

const emptyMap = new EntryMap([]);

/** A map by domain. Looking up an unknown domain gives an empty map. */
class Domains extends CelMap {
  readonly #maps = new Map<string, EntryMap>();

  add(domain: string, id: string, value: Value): void {
    const map = this.#maps.get(domain);
    if (map) map.insert(id, value);
    else this.#maps.set(domain, new EntryMap([[id, value]]));
  }

  get size(): number {
    return this.#maps.size;
  }

  find(key: Value): Value {
    return (typeof key === 'string' ? this.#maps.get(key) : undefined) ?? emptyMap;
  }

  override has(key: Value): boolean {
    return typeof key === 'string' && this.#maps.has(key);
  }

  keys(): Iterable<Value> {
    return this.#maps.keys();
  }
}

/** Names without a domain belong to the driver's. */
function domainsOf<T>(driver: string, named: Readonly<Record<string, T>> | undefined, convert: Valuer<T>): Domains {
  const domains = new Domains();
  for (const [name, item] of Object.entries(named ?? {})) {
    const slash = name.indexOf('/');
    const domain = slash < 0 ? driver : name.slice(0, slash);
    domains.add(domain, name.slice(slash + 1), convert(item, name));
  }
  return domains;
}

type Valuer<T> = (item: T, name: string) => Value;

function attributeValue({ int, bool, string, version }: DeviceAttribute, name: string): Value {
  if (int !== undefined) return BigInt(int);
  if (bool !== undefined) return bool;
  if (string !== undefined) return string;
  if (version === undefined) throw new EvaluationFault(`attribute ${name}: unsupported attribute value`);
  try {
    return versionOf(version);
  } catch (error) {
    if (!(error instanceof EvaluationFault)) throw error;
    throw new EvaluationFault(`attribute ${name}: parse semantic version: ${error.message}`);
  }
}

const deviceValue = (driver: string, { attributes, capacity, allowMultipleAllocations }: Selectable): Value =>
  new EntryMap([
    ['driver', driver],
    ['allowMultipleAllocations', allowMultipleAllocations ?? false],
    ['attributes', domainsOf(driver, attributes, attributeValue)],
    ['capacity', domainsOf(driver, capacity, ({ value }) => quantityOf(String(value)))],
  ]);
