import { ignoreNotFound } from '../../../api/api.ts';
import type { Client } from '../../../client/client.ts';
import type { AdmissionAttributes } from '../../admission.ts';

/** A request of a node. */
export interface NodeRequest extends AdmissionAttributes {
  readonly node: string;
  readonly client: Client;
  /** The 403 with this reason. */
  refuse(why: string): Error;
}

/** The object, undefined without one. */
export const absentOr = <T>(read: Promise<T>): Promise<T | undefined> => read.catch(ignoreNotFound);
