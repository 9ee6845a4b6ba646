// /statusz and /flagz: how the server runs, and with which flags. https://kubernetes.io/docs/reference/instrumentation/zpages/

import { stringify } from 'yaml';
import { kubernetesVersion } from '../../api/api.ts';
import { acceptedClauses } from '../http/media-type.ts';
import { type Reply, textReply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { failure } from '../status.ts';

type Page = Readonly<Record<string, unknown>>;

const component = 'apiserver';
const group = 'config.k8s.io';
const versions = ['v1beta1', 'v1alpha1'];
const formats: Readonly<Record<string, (page: Page) => string>> = {
  'application/json': (page) => JSON.stringify(page),
  'application/yaml': (page) => stringify(page),
};

const heading = (name: string): string =>
  `\n${component} ${name}\nWarning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.\n`;

export function statusz(request: ApiRequest, paths: readonly string[]): Reply {
  const { clock, startedMs } = request.server;
  const uptimeSeconds = Math.max(0, Math.floor((clock.now() - startedMs) / 1_000));
  const folders = [...new Set(paths.map((path) => `/${path.split('/')[1]}`))].filter(isForDebugging).sort();
  const version = kubernetesVersion.gitVersion.replace(/^v|\+.*/g, '');
  const emulated = `${kubernetesVersion.major}.${kubernetesVersion.minor}`;
  const page = {
    startTime: `${new Date(startedMs).toISOString().slice(0, 19)}Z`,
    uptimeSeconds,
    goVersion: `node ${process.version}`,
    binaryVersion: version,
    emulationVersion: emulated,
    paths: folders,
  };
  const two = (value: number) => String(value).padStart(2, '0');
  const [hours, minutes, seconds] = [uptimeSeconds / 3600, (uptimeSeconds / 60) % 60, uptimeSeconds % 60].map(
    Math.floor,
  );
  const text = [
    `Started: ${unixDate(startedMs)}`,
    `Up: ${hours} hr ${two(minutes)} min ${two(seconds)} sec`,
    `Go version: ${page.goVersion}`,
    `Binary version: ${version}`,
    `Emulation version: ${emulated}`,
    `Paths: ${folders.join(' ')}`,
  ];
  return inForm(request, 'Statusz', page, `${heading('statusz')}\n${text.join('\n')}\n`);
}

/** Undefined: the server has no flags. */
export function flagz(request: ApiRequest): Reply | undefined {
  const { flags } = request.server.config;
  if (!flags) return undefined;
  const rows = Object.keys(flags)
    .sort()
    .map((name) => `${name}=${flags[name]}\n`);
  return inForm(request, 'Flagz', { flags }, heading('flagz') + rows.join(''));
}

const isForDebugging = (folder: string): boolean =>
  folder !== '/' && !['/apis', '/api', '/openid', '/openapi', '/.well-known'].includes(folder);

/** As Go's time.UnixDate: Mon Jan _2 15:04:05 UTC 2006. */
function unixDate(ms: number): string {
  const [day, date, month, year, time] = new Date(ms).toUTCString().replace(',', '').split(' ');
  return `${day} ${month} ${date.replace(/^0/, ' ')} ${time} UTC ${year}`;
}

/** Text, or an object in JSON or YAML for clients that name its kind. Throws 406. */
function inForm({ headers }: ApiRequest, kind: string, page: Page, text: string): Reply {
  if (!headers.accept?.trim()) return textReply(200, text);
  for (const { type, parameters } of acceptedClauses(headers.accept)) {
    if (!parameters.as && ['text/plain', 'text/*', '*/*'].includes(type)) return textReply(200, text);
    const write = formats[type];
    const { as, g, v = '' } = parameters;
    if (!write || as !== kind || g !== group || !versions.includes(v)) continue;
    const object = { kind, apiVersion: `${group}/${v}`, metadata: { name: component }, ...page };
    const warning = `299 - "This version of the ${kind.toLowerCase()} endpoint is deprecated. Please use a newer version."`;
    const reply = textReply(200, write(object), type);
    return v === 'v1alpha1' ? { ...reply, headers: { Warning: warning } } : reply;
  }
  throw failure(
    406,
    'NotAcceptable',
    'only the following media types are accepted: application/json, application/yaml, text/plain',
  );
}
