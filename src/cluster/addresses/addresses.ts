import { nthAddress, parseCidrs } from '../../machinery/ip.ts';

/**
 * The API server's service has the first address of the primary service range, cluster DNS the tenth. Clusters with two
 * families have a second address of cluster DNS.
 */
export function firstAddresses(serviceCidr: string): { apiServiceIP: string; dnsServiceIPs: readonly string[] } {
  const ranges = parseCidrs(serviceCidr);
  if (!ranges?.length) throw new Error(`"${serviceCidr}" is no address range: write it like 10.96.0.0/12`);
  return { apiServiceIP: nthAddress(ranges[0], 1), dnsServiceIPs: ranges.map((range) => nthAddress(range, 10)) };
}
