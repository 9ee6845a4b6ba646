// The page runs under trusted types: the only script address that it may make is that of its own worker.

interface Policy {
  /** In truth a TrustedScriptURL, which the constructors of workers take in place of a string. */
  createScriptURL(url: string): string;
}

interface PolicyFactory {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): Policy;
}

let policy: Policy | undefined;

export function trustedScript(url: string): string {
  const factory = (globalThis as { trustedTypes?: PolicyFactory }).trustedTypes;
  if (!factory) return checked(url);
  policy ??= factory.createPolicy('coracle', { createScriptURL: checked });
  return policy.createScriptURL(url);
}

function checked(url: string): string {
  if (/^\/console\/assets\/[\w-]+\.js$/.test(url)) return url;
  throw new Error(`${url} is no script of the console`);
}
