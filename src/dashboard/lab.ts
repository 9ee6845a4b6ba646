// The lab of a simulated cluster, for its administrators: the pace of time, and failures of nodes.

import type { Client } from '../client/client.ts';
import type { Page } from '../machinery/pages.ts';
import { fieldsIn } from '../machinery/parsed.ts';
import { failure, json } from './http.ts';

export interface LabNode {
  readonly name: string;
  /** Its kubelet does not run, as after a crash of the machine. */
  readonly isStopped: boolean;
  /** Its kubelet does not reach the API server. */
  readonly isCut: boolean;
  /** Nearly no disk space is left. */
  readonly isFull: boolean;
}

export interface LabControl {
  status(): { readonly pace: number; readonly nowMs: number; readonly nodes: readonly LabNode[] };
  setPace(pace: number): void;
  /** Resolves with false if there is no such node. */
  setNode(name: string, change: Partial<Omit<LabNode, 'name'>>): Promise<boolean>;
}

/** At this pace, five minutes take less than a second; faster, requests would time out. */
const fastest = 600;
const switches = ['isStopped', 'isCut', 'isFull'] as const;

/** `change`: of a request that changes the lab. */
export async function answerLab(lab: LabControl, client: Client, change?: unknown): Promise<Page> {
  if (!(await isAdministrator(client)))
    return failure(403, 'Forbidden', 'the lab is for administrators of the cluster');
  if (change === undefined) return json(200, lab.status());
  const { pace, node } = fieldsIn(change);
  if (pace !== undefined) {
    if (typeof pace !== 'number' || !(pace >= 0 && pace <= fastest))
      return failure(400, 'BadRequest', `pace is a number from 0 to ${fastest}`);
    lab.setPace(pace);
  }
  if (node !== undefined) {
    const asked = fieldsIn(change);
    const chosen = switches.filter((one) => typeof asked[one] === 'boolean');
    const wanted = Object.fromEntries(chosen.map((one) => [one, asked[one] === true]));
    if (typeof node !== 'string' || !(await lab.setNode(node, wanted)))
      return failure(404, 'NotFound', 'there is no such node');
  }
  return json(200, lab.status());
}

/** All verbs on all resources: the role cluster-admin. */
export async function isAdministrator(client: Client): Promise<boolean> {
  const resourceAttributes = { verb: '*', group: '*', version: '*', resource: '*' };
  const review = await client.create('selfsubjectaccessreviews', { metadata: {}, spec: { resourceAttributes } });
  return review.status?.allowed === true;
}
