// Probes and lifecycle hooks.

import type { FieldError } from '../../errors.ts';
import { forbiddenField, invalidValue, required } from '../../fields.ts';
import type { Container, Lifecycle, LifecycleHandler, PodSpec, Probe } from '../../generated/types.ts';
import { portNumber, validatePortNumberOrName } from '../network.ts';
import { need, notNegative, oneOfThese, type Rule, struct } from '../rules.ts';

const mustBeOne: Rule = (value, path) => (value === 1 ? [] : [invalidValue(path, value ?? 0, 'must be 1')]);

export function validateProbes(container: Container, path: string, spec: PodSpec): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[field];
    if (!probe) continue;
    const at = `${path}.${field}`;
    errors.push(...validateProbe(probe, at, spec));
    if (field !== 'readinessProbe') errors.push(...mustBeOne(probe.successThreshold, `${at}.successThreshold`));
    else if (probe.terminationGracePeriodSeconds !== undefined)
      errors.push(
        invalidValue(
          `${at}.terminationGracePeriodSeconds`,
          probe.terminationGracePeriodSeconds,
          'must not be set for readinessProbes',
        ),
      );
  }
  return errors;
}

const probeNumbers = struct({
  initialDelaySeconds: notNegative,
  timeoutSeconds: notNegative,
  periodSeconds: notNegative,
  successThreshold: notNegative,
  failureThreshold: notNegative,
  terminationGracePeriodSeconds: (value: number | undefined, path) =>
    value !== undefined && value <= 0 ? [invalidValue(path, value, 'must be greater than 0')] : [],
});

const validateProbe = (probe: Probe, path: string, spec: PodSpec): FieldError[] => [
  ...validateHandler(probe, path, ['exec', 'httpGet', 'tcpSocket', 'grpc'], spec),
  ...probeNumbers(probe, path),
];

const portNumberOrName: Rule = (port: number | string | undefined, path) => validatePortNumberOrName(path, port ?? 0);
const isHeaderName = /^[-A-Za-z0-9]+$/;
const headerFault =
  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
/** Kubernetes leaves the index out of the path of a header. */
const headers: Rule = (list: readonly { name?: string }[] | undefined, path) =>
  (list ?? [])
    .filter(({ name = '' }) => !isHeaderName.test(name))
    .map(({ name = '' }) => invalidValue(path, name, headerFault));

const sleep: Rule = ({ seconds = 0 }: { seconds?: number }, path, { terminationGracePeriodSeconds: grace }: PodSpec) =>
  grace !== undefined && (seconds < 0 || seconds > grace)
    ? [invalidValue(path, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${grace})`)]
    : [];

type HandlerKind = 'exec' | 'grpc' | 'httpGet' | 'sleep' | 'tcpSocket';

const handlers: Readonly<Record<HandlerKind, Rule>> = {
  exec: struct({ command: need() }),
  httpGet: struct({
    path: need(),
    port: portNumberOrName,
    scheme: oneOfThese('HTTP', 'HTTPS'),
    httpHeaders: headers,
  }),
  tcpSocket: struct({ port: portNumberOrName }),
  grpc: struct({ port: portNumber }),
  sleep,
};

/** Exactly one way to act. */
function validateHandler(
  handler: Probe & LifecycleHandler,
  path: string,
  kinds: readonly HandlerKind[],
  spec: PodSpec,
): FieldError[] {
  const errors: FieldError[] = [];
  let found = 0;
  for (const kind of kinds) {
    if (handler[kind] === undefined) continue;
    const at = `${path}.${kind}`;
    if (found++) errors.push(forbiddenField(at, 'may not specify more than 1 handler type'));
    else errors.push(...handlers[kind](handler[kind], at, spec));
  }
  return found ? errors : [required(path, 'must specify a handler type')];
}

const signals = (names: string): string[] => names.split(' ').map((name) => `SIG${name}`);
const minus = Array.from({ length: 14 }, (_, i) => `RTMAX-${i + 1}`);
const plus = Array.from({ length: 15 }, (_, i) => `RTMIN+${i + 1}`);
const linuxSignals = signals(
  `ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT ${['RTMAX', ...minus, 'RTMIN', ...plus].sort().join(' ')} SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ`,
);

function validateStopSignal(signal: string, path: string, { os }: PodSpec): readonly FieldError[] {
  if (!os) return [forbiddenField(path, 'may not be set for containers with empty `spec.os.name`')];
  const supported = os.name === 'windows' ? ['SIGKILL', 'SIGTERM'] : linuxSignals;
  return os.name !== 'windows' && os.name !== 'linux' ? [] : oneOfThese(...supported)(signal, path);
}

export function validateLifecycle(lifecycle: Lifecycle | undefined, path: string, spec: PodSpec): FieldError[] {
  if (!lifecycle) return [];
  const errors: FieldError[] = [];
  for (const hook of ['postStart', 'preStop'] as const)
    if (lifecycle[hook])
      errors.push(
        ...validateHandler(lifecycle[hook], `${path}.${hook}`, ['exec', 'httpGet', 'tcpSocket', 'sleep'], spec),
      );
  if (lifecycle.stopSignal !== undefined)
    errors.push(...validateStopSignal(lifecycle.stopSignal, `${path}.stopSignal`, spec));
  return errors;
}
