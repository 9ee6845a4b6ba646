// Whether a device matches the selectors of a request and of its class. Results are kept: devices do not change.

import { type DeviceMatcher, type DeviceSelector, DeviceSelectorError, deviceMatcher } from '../../api/api.ts';
import type { Device } from './claim-types.ts';
import { AllocationError } from './requests.ts';

/** Compiled selectors. A cluster has a handful; users can write any number. */
const keptSelectors = 100;

interface Compiled {
  readonly matcher: DeviceMatcher;
  /** By device, and with it by driver: a device is part of one slice. */
  readonly results: WeakMap<Device, boolean>;
}

export class Selection {
  readonly #compiled = new Map<string, Compiled | DeviceSelectorError>();

  /** `spend` receives the cost of each run. Throws AllocationError, with the owner of the selectors. */
  matches(
    selectors: readonly DeviceSelector[],
    owner: string,
    driver: string,
    device: Device,
    spend: (cost: number) => void,
  ): boolean {
    for (const [index, { cel }] of selectors.entries())
      try {
        if (!this.#matches(cel?.expression ?? '', driver, device, spend)) return false;
      } catch (error) {
        if (!(error instanceof DeviceSelectorError)) throw error;
        throw new AllocationError(`${owner}: selector #${index}: ${error.message}`);
      }
    return true;
  }

  /** Same for scores: a selector that fails does not match. */
  isMatch(selectors: readonly DeviceSelector[], driver: string, device: Device): boolean {
    try {
      return this.matches(selectors, '', driver, device, () => {});
    } catch (error) {
      if (error instanceof AllocationError) return false;
      throw error;
    }
  }

  #matches(expression: string, driver: string, device: Device, spend: (cost: number) => void): boolean {
    const { matcher, results } = this.#compile(expression);
    const cached = results.get(device);
    if (cached !== undefined) return cached;
    const { matches, cost } = matcher.match(driver, device);
    results.set(device, matches);
    spend(cost);
    return matches;
  }

  #compile(expression: string): Compiled {
    const cached = this.#compiled.get(expression) ?? compile(expression);
    // The most recently used is the last.
    this.#compiled.delete(expression);
    this.#compiled.set(expression, cached);
    const [oldest] = this.#compiled.keys();
    if (this.#compiled.size > keptSelectors && oldest !== undefined) this.#compiled.delete(oldest);
    if (cached instanceof DeviceSelectorError) throw cached;
    return cached;
  }
}

function compile(expression: string): Compiled | DeviceSelectorError {
  try {
    return { matcher: deviceMatcher(expression), results: new WeakMap() };
  } catch (error) {
    if (error instanceof DeviceSelectorError) return error;
    throw error;
  }
}
