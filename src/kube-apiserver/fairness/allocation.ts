// How the server's seats are divided among priority levels that borrow from each other.
// https://github.com/kubernetes/enhancements/tree/master/keps/sig-api-machinery/1040-priority-and-fairness#dispatching

interface Claim {
  readonly lowerBound: number;
  readonly upperBound: number;
  /** Seats that the level would use. */
  readonly target: number;
}

interface Allocation {
  readonly seats: readonly number[];
  /** The share of its target that each level gets which no bound holds. */
  readonly fairFraction: number;
}

/** Smaller targets count as this. */
const smallestTarget = 0.001;
const steps = 100;

/** Divides `sum` seats in proportion to the targets, within the bounds; the bounds must permit that. */
export function allocate(sum: number, claims: readonly Claim[]): Allocation {
  const targetOf = ({ target }: Claim) => Math.max(target, smallestTarget);
  const seatsAt = (fraction: number) =>
    claims.map((claim) => Math.max(claim.lowerBound, Math.min(claim.upperBound, fraction * targetOf(claim))));
  const total = (seats: readonly number[]) => seats.reduce((all, one) => all + one, 0);
  let low = 0;
  let high = Math.max(1, ...claims.map((claim) => claim.upperBound / targetOf(claim)));
  // The total grows with the fraction: halving finds the one that fits.
  for (let i = 0; i < steps; i++) {
    const middle = (low + high) / 2;
    if (total(seatsAt(middle)) < sum) low = middle;
    else high = middle;
  }
  return { seats: seatsAt(high), fairFraction: high };
}
