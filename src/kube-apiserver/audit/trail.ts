import type { UserInfo } from '../request/user.ts';

/** The parts of an audit record that stages and operations add to. */
export interface AuditTrail {
  /** Sent to the client, too. */
  readonly id: string;
  /** Applies the policy, once the user is authenticated. */
  received(user: UserInfo): void;
  /** `onlyWithBody`: if the event has the object of the request. */
  annotate(key: string, value: string, onlyWithBody?: boolean): void;
  /** The object of the request as it is now; it may change later. */
  requestObject(object: unknown): void;
}
