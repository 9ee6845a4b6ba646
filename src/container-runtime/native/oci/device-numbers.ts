/** makedev(3) of Linux: the halves of both numbers are interleaved. */
export function numbersOf(rdev: number): { major: number; minor: number } {
  const bits = BigInt(rdev);
  return {
    major: Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & 0xfffff000n)),
    minor: Number((bits & 0xffn) | ((bits >> 12n) & 0xffffff00n)),
  };
}
