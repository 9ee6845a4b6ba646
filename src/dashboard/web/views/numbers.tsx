// Numbers of the picture: rates, times, sizes, and the curve of their last minutes.

export const rate = (perSecond: number): string =>
  perSecond >= 100 ? String(Math.round(perSecond)) : perSecond >= 10 ? perSecond.toFixed(0) : perSecond.toFixed(1);

export function time(seconds: number | undefined): string {
  if (seconds === undefined) return '–';
  const ms = seconds * 1000;
  return ms >= 1000 ? `${seconds.toFixed(1)} s` : ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`;
}

export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, count)) / 3)));
  const value = count / 1000 ** power;
  return `${value >= 100 || power === 0 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

export const Metric = ({ label, value, tone }: { label: string; value: string; tone?: 'bad' }) => (
  <div class={tone ? `metric ${tone}` : 'metric'}>
    <dd>{value}</dd>
    <dt>{label}</dt>
  </div>
);
