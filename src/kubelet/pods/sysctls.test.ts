import { expect, test } from 'vitest';
import type { Pod } from '../../api/api.ts';
import { refuseSysctl } from './sysctls.ts';

const allowed = ['kernel.msg*', 'net.core.somaxconn', 'net.ipv6.*'];
const messageOf = (name: string, host: object = {}) =>
  refuseSysctl({ spec: { securityContext: { sysctls: [{ name, value: '1' }] }, ...host } } as Pod, allowed)?.message;

test.each([
  ['net.ipv4.tcp_syncookies', {}, undefined],
  ['kernel.shm_rmid_forced', {}, undefined],
  ['net/ipv4/tcp_syncookies', {}, undefined],
  ['kernel.msgmax', {}, undefined],
  ['net.core.somaxconn', {}, undefined],
  ['net/ipv6/conf/eth0.1/forwarding', {}, undefined],
  ['net.core.somaxconn2', {}, 'forbidden sysctl: "net.core.somaxconn2" not allowlisted'],
  ['kernel.sem', {}, 'forbidden sysctl: "kernel.sem" not allowlisted'],
  ['vm.swappiness', {}, 'forbidden sysctl: "vm.swappiness" not allowlisted'],
  [
    'net.core.somaxconn',
    { hostNetwork: true },
    'forbidden sysctl: "net.core.somaxconn" not allowed with host Net enabled',
  ],
  ['kernel.msgmax', { hostIPC: true }, 'forbidden sysctl: "kernel.msgmax" not allowed with host IPC enabled'],
  ['kernel.msgmax', { hostNetwork: true }, undefined],
])('%s of a pod with %j', (name, host, message) => expect(messageOf(name, host)).toBe(message));
