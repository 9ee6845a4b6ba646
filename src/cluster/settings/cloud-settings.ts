// The options of the cloud in which the machines run.

import path from 'node:path';
import { SettingError } from './setting-values.ts';

/** Those of the cloud-controller-manager. */
const cloudNames = ['local', 'external', 'hetzner'] as const;
type CloudName = (typeof cloudNames)[number];

/** In the form of the kubelet's --provider-id; the rest is the cloud's. */
function providerID(text: string): string | undefined {
  if (/^[a-z0-9.+-]+:\/\/[!-~]{1,1000}$/.test(text)) return text;
  throw new SettingError('Give the name of the cloud and an id, such as cloud://1.');
}

export const cloudSettings = {
  cloudProvider: {
    flag: 'cloud-provider',
    argument: '<name>',
    help: 'cloud of the machines; by default local (load balancers made of the nodes alone); external calls a server of your own; hetzner is Hetzner Cloud, and on an agent that of its cluster',
    default: undefined as CloudName | undefined,
    choices: cloudNames,
    read: (value: string): CloudName | undefined => cloudNames.find((name) => name === value),
  },
  cloudConfig: {
    flag: 'cloud-config',
    argument: '<file>',
    help: 'configuration of a cloud provider other than local: docs/cloud.md',
    default: undefined as string | undefined,
    isFile: true,
    read: (value: string): string | undefined => path.resolve(value),
  },
  providerID: {
    flag: 'provider-id',
    argument: '<id>',
    help: "identity of this machine in its cloud, such as cloud://1; by default the cloud finds it by the node's name",
    default: undefined as string | undefined,
    read: providerID,
  },
};
