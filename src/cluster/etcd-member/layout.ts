// The addresses and files of an etcd member.

import path from 'node:path';
import type { EtcdMemberOptions } from './interface.ts';

export interface MemberLayout {
  readonly clientUrl: string;
  readonly peerUrl: string;
  readonly data: string;
  readonly pki: string;
  readonly log: string;
  /** Names the process. */
  readonly runFile: string;
  readonly stateFile: string;
}

export const runFileName = 'etcd.json';
export const stateFileName = 'member.json';

export function memberLayout({ directory, address, clientPort, peerPort }: EtcdMemberOptions): MemberLayout {
  const host = address.includes(':') ? `[${address}]` : address;
  return {
    clientUrl: `https://${host}:${clientPort ?? 2379}`,
    peerUrl: `https://${host}:${peerPort ?? 2380}`,
    data: path.join(directory, 'data'),
    pki: path.join(directory, 'pki'),
    log: path.join(directory, 'etcd.log'),
    runFile: path.join(directory, runFileName),
    stateFile: path.join(directory, stateFileName),
  };
}
