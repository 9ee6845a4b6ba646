// The credentials that webhooks are called with.
// https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#authenticate-apiservers

export interface WebhookUser {
  readonly token?: string;
  readonly username?: string;
  readonly password?: string;
  /** PEM of a client certificate. */
  readonly cert?: string;
  readonly key?: string;
}

export interface WebhookUsers {
  /** By name: a host, with or without its port, or *.domain, or * for all. */
  readonly byName: ReadonlyMap<string, WebhookUser>;
  /** For servers that no name fits. */
  readonly current?: WebhookUser;
}

/** The most specific name counts; one without a port means 443. */
export function userFor({ byName, current }: WebhookUsers, host: string, port: number): WebhookUser | undefined {
  const targets = [`${host}:${port}`, ...(port === 443 ? [host] : [])];
  for (const name of [...targets.flatMap(patterns), '*']) {
    const user = byName.get(name);
    if (user) return user;
  }
  return current;
}

function patterns(target: string): string[] {
  const steps = target.split('.');
  return [target, ...steps.slice(1).map((_, index) => `*.${steps.slice(index + 1).join('.')}`)];
}

export function authorizationOf({ token, username, password }: WebhookUser): string | undefined {
  if (token) return `Bearer ${token}`;
  return username || password
    ? `Basic ${Buffer.from(`${username ?? ''}:${password ?? ''}`).toString('base64')}`
    : undefined;
}
