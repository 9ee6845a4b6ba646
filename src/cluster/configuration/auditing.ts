// Opens the audit policy, the audit log and the webhook that gets the recorded requests.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import {
  type AuditBackend,
  type Auditor,
  AuditPolicyError,
  auditWebhook,
  openAuditLog,
  parseAuditPolicy,
} from '../../kube-apiserver/kube-apiserver.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { ClusterConfig } from '../config.ts';
import type { DataDirectory } from '../data-directory.ts';
import { readRemoteServer } from '../remote-server.ts';

type AuditSettings = Pick<ClusterConfig, 'auditPolicy' | 'auditLog' | 'auditWebhookConfig'> & {
  /** When the log begins a new file, and which old ones are kept; see `openAuditLog`. */
  readonly rotation?: { readonly maxSize: number; readonly maxBackups: number; readonly maxAge: number };
};

/** Undefined when no policy is set. Rejects with the fault and its file. */
export async function openAuditor(
  { auditPolicy, auditLog, auditWebhookConfig: webhookConfig, rotation }: AuditSettings,
  directory: Pick<DataDirectory, 'root'>,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<Auditor | undefined> {
  if (!auditPolicy) return undefined;
  const parsed = await readPolicy(auditPolicy);
  const backends: AuditBackend[] = [];
  const log = auditLog ?? (webhookConfig ? undefined : path.join(directory.root, 'audit.log'));
  if (webhookConfig)
    backends.push(auditWebhook({ ...(await readRemoteServer(webhookConfig, 'an audit webhook')), clock, logger }));
  if (log)
    backends.push(
      await openAuditLog({ file: log, ...rotation, clock, logger }).catch((error) => {
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
