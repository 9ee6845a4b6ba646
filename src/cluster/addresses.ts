import { nthAddress, parseCidr } from '../machinery/ip.ts';

/** The API server's service has the first address of the service range, cluster DNS the tenth. */
export function firstAddresses(serviceCidr: string): { apiServiceIP: string; dnsServiceIP: string } {
  const range = parseCidr(serviceCidr);
  if (!range) throw new Error(`"${serviceCidr}" is no address range: write it like 10.96.0.0/12`);
  return { apiServiceIP: nthAddress(range, 1), dnsServiceIP: nthAddress(range, 10) };
}
