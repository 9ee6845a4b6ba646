// Randomness is a parameter: components never use the system's (docs/design.md, idea 6).

export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** An integer in [0, below). */
  int(below: number): number;
  /** A version 4 UUID (RFC 9562). */
  uuid(): string;
  /** `length` letters and digits of the alphabet that Kubernetes uses for generated names (no vowels, no 0, 1 or 3). */
  suffix(length: number): string;
  bytes(length: number): Uint8Array;
}

declare const crypto: { getRandomValues<T extends Uint8Array | Uint32Array>(array: T): T; randomUUID(): string };

const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';

function from(next: () => number, overrides: Partial<Random> = {}): Random {
  const random: Random = {
    next,
    int: (below) => Math.floor(next() * below),
    bytes: (length) => Uint8Array.from({ length }, () => random.int(256)),
    suffix: (length) => Array.from({ length }, () => suffixAlphabet[random.int(suffixAlphabet.length)]).join(''),
    uuid() {
      const bytes = random.bytes(16);
      bytes[6] = (bytes[6] & 0x0f) | 0x40;
      bytes[8] = (bytes[8] & 0x3f) | 0x80;
      const hex = [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
      return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
    },
    ...overrides,
  };
  return random;
}

/** Numbers are drawn from the system many at a time: each call to it costs microseconds. */
const pool = new Uint32Array(1024);
let drawn = pool.length;

function pooled(): number {
  if (drawn === pool.length) {
    crypto.getRandomValues(pool);
    drawn = 0;
  }
  return pool[drawn++] / 2 ** 32;
}

/** The system's randomness. Only `cluster`, `cli` and tests choose it. */
export const systemRandom: Random = from(pooled, {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  uuid: () => crypto.randomUUID(),
});

/** The same sequence for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return from(() => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  });
}
