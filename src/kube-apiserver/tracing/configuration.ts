// TracingConfiguration. https://kubernetes.io/docs/reference/config-api/apiserver-config.v1/

import { type FieldError, invalidValue } from '../../api/api.ts';
import { readConfiguration, refuseFaults } from '../access/configuration-file.ts';

export interface TracingConfiguration {
  /** Spans are sent here by OTLP over HTTP. */
  readonly url: string;
  /** Requests without a sampled parent. */
  readonly samplingRatePerMillion: number;
}

const mostPerMillion = 1_000_000;
const defaultEndpoint = 'http://localhost:4318';

interface Given {
  readonly endpoint?: string | null;
  readonly samplingRatePerMillion?: number | null;
}

/** Throws AccessConfigurationError. */
export function parseTracingConfiguration(text: string): TracingConfiguration {
  const given = readConfiguration<Given>(text, 'TracingConfiguration', ['v1', 'v1beta1', 'v1alpha1'], {
    endpoint: 'string',
    samplingRatePerMillion: 'integer',
  });
  const rate = given.samplingRatePerMillion ?? 0;
  const url = urlOf(given.endpoint || defaultEndpoint);
  refuseFaults([...rateFaults(rate), ...(typeof url === 'string' ? [] : [url])]);
  return { url: url as string, samplingRatePerMillion: rate };
}

function rateFaults(rate: number): FieldError[] {
  const fault = (message: string) => [invalidValue('samplingRatePerMillion', rate, message)];
  if (rate < 0) return fault('sampling rate must be positive');
  if (rate > mostPerMillion) return fault('sampling rate per million must be less than or equal to one million');
  return [];
}

/** Kubernetes takes targets of gRPC: those with a host and a port are used for HTTP here. */
function urlOf(endpoint: string): string | FieldError {
  const fault = (message: string) => invalidValue('endpoint', endpoint, message);
  const [, scheme = '', rest = endpoint] = /^([a-z][a-z-]*):(.*)$/.exec(endpoint) ?? [];
  if (scheme === 'unix' || scheme === 'unix-abstract')
    return fault(`${scheme} is not supported: spans are sent by OTLP over HTTP, to a host and a port`);
  const isUrl = scheme === 'http' || scheme === 'https';
  // A host and a port look like a scheme.
  const isTarget = scheme === 'dns' || !endpoint.includes('//');
  if (!isUrl && !isTarget) return fault(`unsupported scheme: ${scheme}. Options are none, dns, http or https`);
  const target = isUrl ? endpoint : `http://${scheme === 'dns' ? rest.replace(/^\/*/, '') : endpoint}`;
  if (!URL.canParse(target)) return fault('must be a host and a port, or a URL');
  const { protocol, host, pathname } = new URL(target);
  return `${protocol}//${host}${pathname === '/' ? '/v1/traces' : pathname}`;
}
