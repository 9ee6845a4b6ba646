// Values of the Kubernetes types.

import type { Quantity } from '../../quantity.ts';
import { CelObject, type Value } from '../values.ts';
import type { Address, Prefix } from './net-parse.ts';
import type { Version } from './semver-parse.ts';
import { compareVersions } from './semver-parse.ts';
import type { ParsedUrl } from './url-parse.ts';

export class QuantityValue extends CelObject {
  readonly typeName = 'kubernetes.Quantity';
  readonly quantity: Quantity;
  /** Whether Kubernetes holds it as a whole number: 1.0 and 1000m are none. */
  readonly whole: boolean;
  constructor(quantity: Quantity, whole: boolean) {
    super();
    this.quantity = quantity;
    this.whole = whole;
  }
  equals(other: Value): boolean | undefined {
    return other instanceof QuantityValue ? other.quantity.nanos === this.quantity.nanos : undefined;
  }
}

export class IpValue extends CelObject {
  readonly typeName = 'net.IP';
  readonly address: Address;
  constructor(address: Address) {
    super();
    this.address = address;
  }
  override get size(): number {
    return this.address.family === 4 ? 4 : 16;
  }
  equals(other: Value): boolean | undefined {
    if (!(other instanceof IpValue)) return undefined;
    return other.address.family === this.address.family && other.address.value === this.address.value;
  }
}

export class CidrValue extends CelObject {
  readonly typeName = 'net.CIDR';
  readonly prefix: Prefix;
  constructor(prefix: Prefix) {
    super();
    this.prefix = prefix;
  }
  override get size(): number {
    return Math.ceil(this.prefix.bits / 8);
  }
  equals(other: Value): boolean | undefined {
    if (!(other instanceof CidrValue)) return undefined;
    const [a, b] = [this.prefix, other.prefix];
    return a.bits === b.bits && a.address.family === b.address.family && a.address.value === b.address.value;
  }
}

export class UrlValue extends CelObject {
  readonly typeName = 'kubernetes.URL';
  readonly url: ParsedUrl;
  readonly text: string;
  constructor(url: ParsedUrl, text: string) {
    super();
    this.url = url;
    this.text = text;
  }
  equals(other: Value): boolean | undefined {
    return other instanceof UrlValue ? other.text === this.text : undefined;
  }
}

export class VersionValue extends CelObject {
  readonly typeName = 'kubernetes.Semver';
  readonly version: Version;
  constructor(version: Version) {
    super();
    this.version = version;
  }
  equals(other: Value): boolean | undefined {
    return other instanceof VersionValue ? compareVersions(this.version, other.version) === 0 : undefined;
  }
}

export class FormatValue extends CelObject {
  readonly typeName = 'kubernetes.NamedFormat';
  readonly name: string;
  /** Size of the pattern that it is as expensive as. */
  readonly patternSize: number;
  readonly validate: (text: string) => string[];
  constructor(name: string, patternSize: number, validate: (text: string) => string[]) {
    super();
    this.name = name;
    this.patternSize = patternSize;
    this.validate = validate;
  }
  equals(other: Value): boolean | undefined {
    return other instanceof FormatValue ? other.name === this.name : undefined;
  }
}
