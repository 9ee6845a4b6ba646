// https://kubernetes.io/docs/tutorials/security/seccomp/

import { RuntimeError } from '../../runtime-error.ts';
import type { OciSeccomp } from './oci-types.ts';
import { type SeccompRule, seccompArchitectures, seccompRules } from './seccomp-default.ts';

/** RuntimeDefault of a container with these capabilities (names without CAP_). */
export function defaultSeccomp(capabilities: readonly string[], architecture: string): OciSeccomp {
  const counts = (rule: SeccompRule) =>
    (!rule.withCapability || capabilities.includes(rule.withCapability)) &&
    (!rule.withoutCapability || !capabilities.includes(rule.withoutCapability)) &&
    (rule.architectures?.includes(architecture) ?? true) &&
    !rule.notArchitectures?.includes(architecture);
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 1, // EPERM
    architectures: seccompArchitectures[architecture] ?? [],
    syscalls: seccompRules.filter(counts).map(({ names, action = 'SCMP_ACT_ALLOW', errno, arguments: args }) => ({
      names: names.split(/\s+/),
      action,
      ...(errno !== undefined && { errnoRet: errno }),
      ...(args && { args: [...args] }),
    })),
  };
}

/** A profile of the node's administrator: a file with the `linux.seccomp` of a config.json. Throws RuntimeError('create'). */
export function localSeccomp(text: string, path: string): OciSeccomp {
  const refuse = (why: string): never => {
    throw new RuntimeError('create', `failed to load seccomp profile ${JSON.stringify(path)}: ${why}`);
  };
  let profile: unknown;
  try {
    profile = JSON.parse(text);
  } catch (error) {
    return refuse((error as Error).message);
  }
  if (typeof profile !== 'object' || profile === null || Array.isArray(profile)) return refuse('it is not an object');
  if (typeof (profile as Record<string, unknown>)['defaultAction'] !== 'string')
    return refuse('it has no defaultAction');
  return profile as OciSeccomp;
}
