import type { UserInfo } from '../user.ts';

/** The parts of an audit record that stages and operations add to. */
export interface AuditTrail {
  /** The user is known: the policy decides what is recorded from here on. */
  received(user: UserInfo): void;
  annotate(key: string, value: string): void;
  /** The object of the request as it is now; it may change later. */
  requestObject(object: unknown): void;
}
