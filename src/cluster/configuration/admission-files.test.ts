import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { userFor } from '../../kube-apiserver/kube-apiserver.ts';
import { readAdmissionFiles } from './admission-files.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'admission-'));
});
afterEach(() => rm(directory, { recursive: true }));

const write = async (name: string, value: object) => {
  const file = path.join(directory, name);
  await writeFile(file, JSON.stringify(value));
  return file;
};
const admission = (plugins: object[]) =>
  write('admission.yaml', { apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AdmissionConfiguration', plugins });
const read = async (plugins: object[], enabled: string[] = [], disabled: string[] = []) =>
  readAdmissionFiles({
    admissionControlConfig: await admission(plugins),
    enableAdmissionPlugins: enabled,
    disableAdmissionPlugins: disabled,
  });

const limits = {
  apiVersion: 'eventratelimit.admission.k8s.io/v1alpha1',
  kind: 'Configuration',
  limits: [{ type: 'Server', qps: 1, burst: 2 }],
};

test('no file configures nothing', async () =>
  expect(
    await readAdmissionFiles({
      admissionControlConfig: undefined,
      enableAdmissionPlugins: [],
      disableAdmissionPlugins: [],
    }),
  ).toEqual({}));

test('a path is relative to the file, and of two entries the first counts', async () => {
  await write('limits.yaml', limits);
  const plugins = [
    { name: 'EventRateLimit', path: 'limits.yaml' },
    { name: 'EventRateLimit', configuration: {} },
  ];
  expect(await read(plugins, ['EventRateLimit'])).toEqual({ eventLimits: limits.limits });
});

test('the configuration of a disabled plugin is not read', async () =>
  expect(
    await read(
      [
        { name: 'EventRateLimit', configuration: {} },
        { name: 'PodSecurity', configuration: {} },
        { name: 'OfAnotherServer', configuration: {} },
      ],
      [],
      ['PodSecurity'],
    ),
  ).toEqual({}));

test.each<[string, object[], string[], string]>([
  [
    'a plugin without the configuration that it needs',
    [],
    ['EventRateLimit'],
    `couldn't init admission plugin "EventRateLimit": limits: Invalid value: null: must not be empty`,
  ],
  [
    'a faulty configuration',
    [{ name: 'PodSecurity', configuration: { kind: 'X' } }],
    [],
    `couldn't init admission plugin "PodSecurity": kind must be PodSecurityConfiguration`,
  ],
  [
    'a path that leads nowhere',
    [{ name: 'PodSecurity', path: 'ghost.yaml' }],
    [],
    'unable to read admission control configuration from',
  ],
  ['a faulty file', [{ nme: 'x' }], [], 'cannot be used: unknown field "plugins[0].nme"'],
])('%s is refused', async (_, plugins, enabled, message) => expect(read(plugins, enabled)).rejects.toThrow(message));

describe('credentials of webhooks', () => {
  const users = async () => {
    await writeFile(path.join(directory, 'token'), 'from-file\n');
    const user = (name: string, fields: object) => ({ name, user: fields });
    const kubeConfigFile = await write('webhooks.kubeconfig', {
      apiVersion: 'v1',
      kind: 'Config',
      users: [
        user('hook.test', { token: 'host' }),
        user('hook.test:8443', { token: 'port' }),
        user('*.web.svc', { tokenFile: 'token' }),
        user('other', { username: 'u', password: 'p' }),
      ],
      contexts: [{ name: 'c', context: { user: 'other' } }],
      'current-context': 'c',
    });
    const configuration = {
      apiVersion: 'apiserver.config.k8s.io/v1',
      kind: 'WebhookAdmissionConfiguration',
      kubeConfigFile,
    };
    const { validatingWebhookUsers } = await read([{ name: 'ValidatingAdmissionWebhook', configuration }]);
    return validatingWebhookUsers!;
  };

  test.each([
    ['hook.test', 443, { token: 'host' }],
    ['hook.test', 8443, { token: 'port' }],
    ['hook.test', 9443, { username: 'u', password: 'p' }],
    ['x.web.svc', 443, { token: 'from-file' }],
    ['x.other.svc', 443, { username: 'u', password: 'p' }],
  ])('%s:%i', async (host, port, expected) => expect(userFor(await users(), host, port)).toEqual(expected));
});
