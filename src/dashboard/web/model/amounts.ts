// Amounts of CPU and memory: quantities of the API as numbers, and numbers as short texts.

const units: Readonly<Record<string, number>> = {
  ...{ n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 },
};

/** Undefined for a text that is no quantity. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */
export function amountOf(text: string): number | undefined {
  const match = /^([+-]?\d{1,30}(?:\.\d{0,30})?)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,3}))?$/.exec(text);
  if (!match) return undefined;
  const [, number, unit = '', exponent] = match;
  return Number(number) * (exponent === undefined ? units[unit] : 10 ** Number(exponent));
}

const steps = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function bytesText(bytes: number): string {
  let [value, step] = [Math.max(0, bytes), 0];
  while (value >= 1024 && step < steps.length - 1) {
    value /= 1024;
    step++;
  }
  return `${value >= 100 || step === 0 ? Math.round(value) : value.toFixed(1)} ${steps[step]}`;
}

/** Cores as kubectl writes them: 250m, or 2.5 from one core on. */
export const coresText = (cores: number): string =>
  cores < 1 ? `${Math.round(cores * 1000)}m` : cores.toFixed(cores < 10 ? 2 : 1).replace(/\.?0+$/, '');
