// Responses of the server: their flags, and their size, which is bounded in both protocols.

import * as packet from 'dns-packet';
import type { DnsRecord } from './records.ts';

/** TTL of responses in seconds: CoreDNS' default for cluster names. */
const ttlSeconds = 5;
const udpBytes = 512;
/** With EDNS0. A larger response comes over TCP. */
const mostUdpBytes = 4_096;
const mostTcpBytes = 65_535;
/** Of a record, beside its name: type, class, TTL and length (RFC 1035, section 3.2.1). */
const recordBytes = 10;

export const codes = { success: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4, refused: 5 };

const isResponse = 0x8000;
/** The operation code, and whether recursion is desired. */
const repeated = 0x7900;

/** A response with a header alone, for queries that are not read any further. */
export function headerOnly(query: Buffer, code: number): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(query.readUInt16BE(0));
  header.writeUInt16BE(isResponse | (query.readUInt16BE(2) & repeated) | code, 2);
  return header;
}

/** RFC 1035, section 4.1.1: identifier, flags, and the numbers of questions and of three sorts of records. */
export const headerBytes = 12;

/** Why the header is one that the server does not answer, as a code; the same limits as CoreDNS has. */
export function headerFault(query: Buffer): number | undefined {
  if (((query.readUInt16BE(2) >> 11) & 0xf) !== 0) return codes.notImplemented;
  const [questions, answers, authorities, additionals] = [4, 6, 8, 10].map((at) => query.readUInt16BE(at));
  return questions === 1 && answers <= 1 && authorities <= 1 && additionals <= 2 ? undefined : codes.formatError;
}

interface Content {
  readonly code?: number;
  readonly answers?: readonly DnsRecord[];
  readonly additional?: readonly DnsRecord[];
  /** Adds its SOA record to an empty response. */
  readonly zone?: string;
}

/** Answers that do not fit are left out, and the response is marked as truncated: over UDP without any of them. */
export function response(query: packet.DecodedPacket, overTcp: boolean, content: Content): Buffer {
  const { code = codes.success, answers = [], additional = [], zone } = content;
  const edns = query.additionals?.find((record) => record.type === 'OPT') as { udpPayloadSize?: number } | undefined;
  const most = overTcp ? mostTcpBytes : Math.min(mostUdpBytes, Math.max(udpBytes, edns?.udpPayloadSize ?? 0));
  const flags =
    packet.AUTHORITATIVE_ANSWER | packet.RECURSION_AVAILABLE | ((query.flags ?? 0) & packet.RECURSION_DESIRED) | code;
  const encode = (shown: readonly DnsRecord[], more: readonly DnsRecord[], isCut = false) =>
    packet.encode({
      id: query.id,
      type: 'response',
      flags: isCut ? flags | packet.TRUNCATED_RESPONSE : flags,
      questions: query.questions,
      answers: recordsOf(shown),
      authorities: zone ? [soaOf(zone)] : [],
      additionals: [...recordsOf(more), ...(edns && (!isCut || overTcp) ? [ownEdns] : [])],
    });
  let shown = answers.slice(0, mostRecords(answers, most));
  if (shown.length === answers.length)
    for (const more of [additional, []]) {
      if (more.length > mostRecords(more, most)) continue;
      const bytes = encode(shown, more);
      if (bytes.length <= most) return bytes;
    }
  for (;;) {
    const bytes = encode(overTcp ? shown : [], [], true);
    if (bytes.length <= most) return bytes;
    shown = shown.slice(0, Math.floor((shown.length * most) / (bytes.length + 1)));
  }
}

/** No more than this many of them fit. */
function mostRecords(records: readonly DnsRecord[], mostBytes: number): number {
  let shortest = mostBytes;
  for (const { name } of records) shortest = Math.min(shortest, name.length);
  return Math.floor(mostBytes / (shortest + recordBytes));
}

const recordsOf = (list: readonly DnsRecord[]) =>
  list.map((record) => ({ ...record, ttl: ttlSeconds, class: 'IN' }) as packet.Answer);

const ownEdns: packet.OptAnswer = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: 1232,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
};

const soaOf = (zone: string) =>
  ({
    type: 'SOA',
    name: zone,
    ttl: ttlSeconds,
    class: 'IN',
    data: {
      mname: `ns.dns.${zone}`,
      rname: `hostmaster.${zone}`,
      serial: 1,
      refresh: 7200,
      retry: 1800,
      expire: 86400,
      minimum: ttlSeconds,
    },
  }) as packet.Answer;
