// The terms of ResourceQuota. https://kubernetes.io/docs/concepts/policy/resource-quotas/

/** Amounts by the names of resources. */
export type Usage = Record<string, string>;

export interface Scope {
  readonly scopeName: string;
  readonly operator?: string;
  readonly values?: readonly string[];
}

/** How quotas count the objects of one kind. Functions have methods' types, so that lists of all kinds accept them. */
export interface QuotaRules<T> {
  /** The usage of one object, with its `count/RESOURCE`. */
  usage(object: T, nowMs: number): Usage;
  /** Whether an object can use this resource of a quota, beside `count/RESOURCE`. */
  uses(resource: string): boolean;
  /** Whether the object is in the scope. Default: objects have no scope. */
  holdsScope?(scope: Scope, object: T): boolean;
  /** The subresources whose updates may raise the usage or change the scope; `''` is the object itself. Default: none. */
  readonly updates?: readonly string[];
  /** Whether an update of the object itself does so. Default true. */
  matters?(next: T, old: T): boolean;
  /** The compute resources that the object must set and does not, for a message; '' without any. */
  unspecified?(object: T, restricted: readonly string[]): string;
}
