// The sandbox of a cluster with real nodes, for its administrators: a simulated cluster beside it, which has a lab.

import type { Client } from '../client/client.ts';
import type { Page } from '../machinery/pages.ts';
import { failure, json } from './http.ts';
import { isAdministrator } from './lab.ts';

export interface OpenedSandbox {
  /** Signs its administrator in, once. */
  readonly url: string;
  /** A file on the machine of the server. */
  readonly kubeconfig: string;
}

export interface SandboxControl {
  isOpen(): Promise<boolean>;
  /** Starts it, if it does not run. */
  open(): Promise<OpenedSandbox>;
  /** Ends it, and removes all of its data. */
  close(): Promise<void>;
}

export async function answerSandbox(sandbox: SandboxControl, client: Client, method: string): Promise<Page> {
  if (!(await isAdministrator(client)))
    return failure(403, 'Forbidden', 'the sandbox is for administrators of the cluster');
  try {
    if (method === 'POST') return json(201, { ...(await sandbox.open()), isOpen: true });
    if (method === 'DELETE') await sandbox.close();
    else if (method !== 'GET') return failure(405, 'MethodNotAllowed', `${method} is not allowed here`);
    return json(200, { isOpen: await sandbox.isOpen() });
  } catch (error) {
    return failure(503, 'ServiceUnavailable', (error as Error).message);
  }
}
