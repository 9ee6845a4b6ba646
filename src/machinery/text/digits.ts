/** Digits of the largest number of 64 bits. */
const mostDigits = 20;

/** The number of a text of decimal digits; undefined from 21 digits on, so that long texts take no time. */
export function shortInteger(digits: string): bigint | undefined {
  const significant = digits.replace(/^0+/, '');
  return significant.length > mostDigits ? undefined : BigInt(significant || '0');
}
