// Reads the file that configures admission plugins, and the files that it names.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import {
  AccessConfigurationError,
  type AdmissionConfiguration,
  parseAdmissionConfiguration,
  parseEventRateLimit,
  parseImagePolicy,
  parsePodNodeSelector,
  parsePodSecurity,
  parsePodTolerationRestriction,
  parsePolicyConfiguration,
  parseResourceQuota,
  parseWebhookAdmission,
} from '../../kube-apiserver/kube-apiserver.ts';
import type { Settings } from '../config.ts';
import { readRemoteServer, readWebhookUsers } from '../remote-server.ts';

type AdmissionSettings = Pick<
  Settings,
  'admissionControlConfig' | 'enableAdmissionPlugins' | 'disableAdmissionPlugins'
>;

type Read = (text: string | undefined) => AdmissionConfiguration | Promise<AdmissionConfiguration>;

/** The plugins that take a configuration. One that is given no text has its defaults, or refuses. */
const readers: Readonly<Record<string, Read>> = {
  ImagePolicyWebhook: async (text) => {
    const { kubeConfigFile, ...policy } = parseImagePolicy(text);
    return { imagePolicy: { ...policy, server: await readRemoteServer(kubeConfigFile, 'an image policy webhook') } };
  },
  PodSecurity: (text) => ({ podSecurity: parsePodSecurity(text) }),
  PodNodeSelector: (text) => ({ nodeSelectors: parsePodNodeSelector(text) }),
  PodTolerationRestriction: (text) => ({ tolerations: parsePodTolerationRestriction(text) }),
  EventRateLimit: (text) => ({ eventLimits: parseEventRateLimit(text) }),
  MutatingAdmissionPolicy: (text) => onlyChecked(() => parsePolicyConfiguration('MutatingAdmissionPolicy', text)),
  MutatingAdmissionWebhook: async (text) => {
    const file = parseWebhookAdmission(text);
    return file ? { mutatingWebhookUsers: await readWebhookUsers(file) } : {};
  },
  ValidatingAdmissionPolicy: (text) => onlyChecked(() => parsePolicyConfiguration('ValidatingAdmissionPolicy', text)),
  ValidatingAdmissionWebhook: async (text) => {
    const file = parseWebhookAdmission(text);
    return file ? { validatingWebhookUsers: await readWebhookUsers(file) } : {};
  },
  ResourceQuota: (text) => ({ limitedResources: parseResourceQuota(text) }),
};

function onlyChecked(check: () => void): AdmissionConfiguration {
  check();
  return {};
}

/** These refuse to run without a configuration. */
const needing = ['ImagePolicyWebhook', 'EventRateLimit'];

/** Rejects with the file, the plugin and the fault. */
export async function readAdmissionFiles(settings: AdmissionSettings): Promise<AdmissionConfiguration> {
  const { admissionControlConfig: file, enableAdmissionPlugins: enabled, disableAdmissionPlugins: disabled } = settings;
  const texts = file ? await readTexts(file) : new Map<string, string>();
  const parts: AdmissionConfiguration[] = [];
  for (const [plugin, read] of Object.entries(readers)) {
    const text = texts.get(plugin);
    // As in Kubernetes, the configuration of a disabled plugin is not read.
    const isOptional = ['PodNodeSelector', 'PodTolerationRestriction', ...needing].includes(plugin);
    const runs = !disabled.includes(plugin) && (!isOptional || enabled.includes(plugin));
    if (!runs || (text === undefined && !needing.includes(plugin))) continue;
    parts.push(await refusing(`couldn't init admission plugin ${JSON.stringify(plugin)}`, () => read(text)));
  }
  return Object.assign({}, ...parts);
}

/** The configuration of each plugin; of two for one plugin the first counts. */
async function readTexts(file: string): Promise<ReadonlyMap<string, string>> {
  const sources = await refusing(`the admission configuration ${file} cannot be used`, async () =>
    parseAdmissionConfiguration(await readText(file)),
  );
  const texts = new Map<string, string>();
  for (const { name, text, path: named } of sources) {
    if (texts.has(name)) continue;
    if (text !== undefined) texts.set(name, text);
    else if (named) texts.set(name, await readText(path.resolve(path.dirname(file), named)));
  }
  return texts;
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: Error) => {
    throw new Error(`unable to read admission control configuration from ${JSON.stringify(file)}: ${error.message}`);
  });
}

async function refusing<T>(subject: string, act: () => T | Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof AccessConfigurationError)) throw error;
    throw new Error(`${subject}: ${error.message}`);
  }
}
