// Opens the audit policy, the audit log and the webhook that gets the recorded requests.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import {
  type AuditBackend,
  type Auditor,
  AuditPolicyError,
  auditWebhook,
  openAuditLog,
  parseAuditPolicy,
} from '../kube-apiserver/kube-apiserver.ts';
import type { Logger } from '../machinery/logger.ts';
import type { Clock } from '../machinery/time/clock.ts';
import type { ClusterConfig } from './config.ts';
import type { DataDirectory } from './data-directory.ts';

type AuditSettings = Pick<ClusterConfig, 'auditPolicy' | 'auditLog' | 'auditWebhookConfig'>;

/** Undefined when no policy is set. Rejects with the fault and its file. */
export async function openAuditor(
  { auditPolicy, auditLog, auditWebhookConfig: webhookConfig }: AuditSettings,
  directory: DataDirectory,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<Auditor | undefined> {
  if (!auditPolicy) return undefined;
  const parsed = await readPolicy(auditPolicy);
  const backends: AuditBackend[] = [];
  const log = auditLog ?? (webhookConfig ? undefined : path.join(directory.root, 'audit.log'));
  if (webhookConfig) backends.push(auditWebhook({ ...(await readWebhook(webhookConfig)), clock, logger }));
  if (log)
    backends.push(
      await openAuditLog({ file: log, clock, logger }).catch((error) => {
        throw new Error(`the audit log ${log} cannot be opened: ${(error as Error).message}`);
      }),
    );
  return { policy: parsed, backends };
}

async function readPolicy(file: string) {
  try {
    return parseAuditPolicy(await readFile(file, 'utf8'));
  } catch (error) {
    const why = error instanceof AuditPolicyError ? 'is no audit policy' : 'cannot be read';
    throw new Error(`${file} ${why}: ${(error as Error).message}`);
  }
}

/** The server and credentials of a kubeconfig's current context. */
async function readWebhook(file: string) {
  const fail = (why: string) => new Error(`${file} is no kubeconfig for an audit webhook: ${why}`);
  const config = await readFile(file, 'utf8')
    .then((text) => parse(text, { maxAliasCount: 100 }))
    .catch((error) => {
      throw fail((error as Error).message);
    });
  const named = (list: any, name: unknown) => list?.find?.((entry: any) => entry?.name === name);
  const context = named(config?.contexts, config?.['current-context'])?.context;
  const cluster = named(config?.clusters, context?.cluster)?.cluster;
  const user = named(config?.users, context?.user)?.user ?? {};
  if (!cluster?.server) throw fail('its current context names no cluster with a server');
  if (!/^https?:\/\//.test(cluster.server)) throw fail(`the server "${cluster.server}" must be an http or https URL`);
  const bytes = async (of: any, field: string): Promise<string | undefined> => {
    if (of[`${field}-data`]) return Buffer.from(of[`${field}-data`], 'base64').toString();
    return of[field] && readFile(path.resolve(path.dirname(file), of[field]), 'utf8');
  };
  const [ca, cert, key] = await Promise.all([
    bytes(cluster, 'certificate-authority'),
    bytes(user, 'client-certificate'),
    bytes(user, 'client-key'),
  ]);
  return {
    url: cluster.server as string,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(user.token && { token: user.token as string }),
  };
}
