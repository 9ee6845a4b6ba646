// Probes and lifecycle hooks.

import { portNumberFaults } from '../../../machinery/names.ts';
import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, invalidValues, nonNegative, notSupported, required } from '../../fields.ts';
import type { Container, HTTPGetAction, Lifecycle, LifecycleHandler, PodSpec, Probe } from '../../generated/types.ts';
import { validatePortNumberOrName } from '../network.ts';

export function validateProbes(container: Container, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[field];
    const at = `${path}.${field}`;
    if (!probe) continue;
    errors.push(...validateProbe(probe, at));
    if (field === 'readinessProbe') {
      if (probe.terminationGracePeriodSeconds !== undefined)
        errors.push(
          invalidValue(
            `${at}.terminationGracePeriodSeconds`,
            probe.terminationGracePeriodSeconds,
            'must not be set for readinessProbes',
          ),
        );
    } else if (probe.successThreshold !== 1)
      errors.push(invalidValue(`${at}.successThreshold`, probe.successThreshold ?? 0, 'must be 1'));
  }
  return errors;
}

function validateProbe(probe: Probe, path: string): FieldError[] {
  const errors = validateHandler(probe, path);
  for (const field of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const)
    errors.push(...nonNegative(`${path}.${field}`, probe[field]));
  const grace = probe.terminationGracePeriodSeconds;
  if (grace !== undefined && grace <= 0)
    errors.push(invalidValue(`${path}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'));
  return errors;
}

/** Exactly one way to act. */
function validateHandler(handler: Probe & LifecycleHandler, path: string, grace?: number): FieldError[] {
  const errors: FieldError[] = [];
  let found = 0;
  const one = (field: string, check: () => FieldError[]) => {
    if (found++ > 0) errors.push(forbiddenField(`${path}.${field}`, 'may not specify more than 1 handler type'));
    else errors.push(...check());
  };
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  if (exec) one('exec', () => (exec.command?.length ? [] : [required(`${path}.exec.command`)]));
  if (httpGet) one('httpGet', () => validateHttpGet(httpGet, `${path}.httpGet`));
  if (tcpSocket) one('tcpSocket', () => validatePortNumberOrName(`${path}.tcpSocket.port`, tcpSocket.port));
  if (grpc) one('grpc', () => invalidValues(`${path}.grpc.port`, grpc.port ?? 0, portNumberFaults(grpc.port ?? 0)));
  if (sleep)
    one('sleep', () => {
      const limit = grace ?? 30;
      const { seconds } = sleep;
      return seconds < 0 || seconds > limit
        ? [
            invalidValue(
              `${path}.sleep`,
              seconds,
              `must be non-negative and less than terminationGracePeriodSeconds (${limit})`,
            ),
          ]
        : [];
    });
  if (found === 0) errors.push(required(path, 'must specify a handler type'));
  return errors;
}

function validateHttpGet(action: HTTPGetAction, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!action.path) errors.push(required(`${path}.path`));
  errors.push(...validatePortNumberOrName(`${path}.port`, action.port));
  if (action.scheme !== 'HTTP' && action.scheme !== 'HTTPS')
    errors.push(notSupported(`${path}.scheme`, action.scheme, ['HTTP', 'HTTPS']));
  for (const { name } of action.httpHeaders ?? []) {
    const valid = /^[-A-Za-z0-9]+$/.test(name);
    if (!valid)
      errors.push(
        invalidValue(
          `${path}.httpHeaders`,
          name,
          "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
        ),
      );
  }
  return errors;
}

export function validateLifecycle(lifecycle: Lifecycle | undefined, path: string, spec: PodSpec): FieldError[] {
  if (!lifecycle) return [];
  const grace = spec.terminationGracePeriodSeconds;
  const errors: FieldError[] = [];
  for (const hook of ['postStart', 'preStop'] as const)
    if (lifecycle[hook]) errors.push(...validateHandler(lifecycle[hook] as any, `${path}.${hook}`, grace));
  return errors;
}
