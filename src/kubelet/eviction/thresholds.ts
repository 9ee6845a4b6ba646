// When a node is short of something: signals, their thresholds, and KubeletConfiguration's way to write them.
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#eviction-signals-and-thresholds

import { wholeValue } from '../../machinery/quantity.ts';

export type PressureCondition = 'MemoryPressure' | 'DiskPressure' | 'PIDPressure';
export type StarvedResource = 'memory' | 'ephemeral-storage' | 'inodes' | 'pids';

export const signals = {
  'memory.available': { condition: 'MemoryPressure', resource: 'memory' },
  'allocatableMemory.available': { condition: 'MemoryPressure', resource: 'memory' },
  'nodefs.available': { condition: 'DiskPressure', resource: 'ephemeral-storage' },
  'nodefs.inodesFree': { condition: 'DiskPressure', resource: 'inodes' },
  'imagefs.available': { condition: 'DiskPressure', resource: 'ephemeral-storage' },
  'imagefs.inodesFree': { condition: 'DiskPressure', resource: 'inodes' },
  'pid.available': { condition: 'PIDPressure', resource: 'pids' },
} as const satisfies Record<string, { condition: PressureCondition; resource: StarvedResource }>;

export type Signal = keyof typeof signals;

/** An absolute amount, or a share of the capacity. */
type Amount = { readonly quantity: number } | { readonly share: number };

export interface Threshold {
  readonly signal: Signal;
  readonly value: Amount;
  /** How long it must be crossed; 0 for a hard one. */
  readonly graceMs: number;
  /** The amount above the threshold that ends the pressure. */
  readonly minReclaim?: Amount;
}

/** Names and meanings as in KubeletConfiguration; amounts are quantities or percentages. */
export interface EvictionConfig {
  /** In place of the defaults. */
  readonly evictionHard?: Readonly<Record<string, string>>;
  readonly evictionSoft?: Readonly<Record<string, string>>;
  readonly evictionSoftGracePeriodMs?: Readonly<Record<string, number>>;
  readonly evictionMinimumReclaim?: Readonly<Record<string, string>>;
  readonly evictionPressureTransitionPeriodMs?: number;
  /** Seconds; bounds the grace of pods that a soft threshold evicts. */
  readonly evictionMaxPodGracePeriod?: number;
}

export const defaultHard: Readonly<Record<string, string>> = {
  'memory.available': '100Mi',
  'nodefs.available': '10%',
  'nodefs.inodesFree': '5%',
  'imagefs.available': '15%',
  'imagefs.inodesFree': '5%',
};

/** Throws an Error for an invalid threshold. */
export function thresholdsOf(config: EvictionConfig = {}): readonly Threshold[] {
  const { evictionHard = defaultHard, evictionSoft = {}, evictionSoftGracePeriodMs = {} } = config;
  const minimum = Object.entries(config.evictionMinimumReclaim ?? {}).map(
    ([signal, value]) => [signalOf(signal), reclaimOf(value, signal)] as const,
  );
  const reclaim = new Map(minimum);
  for (const [signal, graceMs] of Object.entries(evictionSoftGracePeriodMs)) {
    signalOf(signal);
    if (graceMs < 0) throw new Error(`eviction grace period ${signal} must not be negative: ${graceMs} ms`);
  }
  const make = (signal: string, value: string, graceMs: number): Threshold[] => {
    const named = signalOf(signal);
    if (value === '0%' || value === '100%') return []; // disabled
    const minReclaim = reclaim.get(named);
    return [{ signal: named, value: amountOf(value, signal), graceMs, ...(minReclaim && { minReclaim }) }];
  };
  const hard = Object.entries(evictionHard).flatMap(([signal, value]) => make(signal, value, 0));
  const soft = Object.entries(evictionSoft).flatMap(([signal, value]) => {
    const graceMs = evictionSoftGracePeriodMs[signal];
    if (graceMs === undefined)
      throw new Error(`grace period must be specified for the soft eviction threshold ${signal}`);
    return make(signal, value, graceMs);
  });
  const memory = hard.filter((each) => each.signal === 'memory.available');
  return [...hard, ...soft, ...memory.map((each) => ({ ...each, signal: 'allocatableMemory.available' as const }))];
}

function signalOf(signal: string): Signal {
  if (signal in signals && signal !== 'allocatableMemory.available') return signal as Signal;
  throw new Error(`unsupported eviction signal ${signal}`);
}

function amountOf(text: string, signal: string): Amount {
  if (text.endsWith('%')) {
    const percent = Number(text.slice(0, -1));
    if (!(percent >= 0)) throw new Error(`eviction percentage threshold ${signal} must be >= 0%: ${text}`);
    if (percent > 100) throw new Error(`eviction percentage threshold ${signal} must be <= 100%: ${text}`);
    return { share: Math.fround(percent / 100) };
  }
  const quantity = wholeValue(text);
  if (quantity <= 0) throw new Error(`eviction threshold ${signal} must be positive: ${text}`);
  return { quantity };
}

/** No amount is a minimum too; a share of nothing is not. */
function reclaimOf(text: string, signal: string): Amount {
  if (!text.endsWith('%')) {
    const quantity = wholeValue(text);
    if (quantity < 0) throw new Error(`eviction minimum reclaim ${signal} must not be negative: ${text}`);
    return { quantity };
  }
  const amount = amountOf(text, signal);
  if ('share' in amount && amount.share === 0)
    throw new Error(`eviction percentage minimum reclaim ${signal} must be positive: ${text}`);
  return amount;
}

export const amountIn = (amount: Amount, capacity: number): number =>
  'quantity' in amount ? amount.quantity : Math.trunc(capacity * amount.share);
