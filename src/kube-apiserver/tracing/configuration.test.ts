import { expect, test } from 'vitest';
import { parseTracingConfiguration } from './configuration.ts';

const parse = (text: string, version = 'v1') =>
  parseTracingConfiguration(`apiVersion: apiserver.config.k8s.io/${version}\nkind: TracingConfiguration\n${text}`);

test.each([
  ['', 'http://localhost:4318/v1/traces', 0],
  ['endpoint: localhost:4318', 'http://localhost:4318/v1/traces', 0],
  ['endpoint: 10.0.0.7:4318\nsamplingRatePerMillion: 100', 'http://10.0.0.7:4318/v1/traces', 100],
  ['endpoint: dns:///collector.tracing:4318', 'http://collector.tracing:4318/v1/traces', 0],
  ['endpoint: dns:collector:4318', 'http://collector:4318/v1/traces', 0],
  ['endpoint: http://collector:4318', 'http://collector:4318/v1/traces', 0],
  ['endpoint: https://collector/otlp/traces', 'https://collector/otlp/traces', 0],
  ['samplingRatePerMillion: 1000000', 'http://localhost:4318/v1/traces', 1_000_000],
])('%j', (text, url, samplingRatePerMillion) => {
  for (const version of ['v1', 'v1beta1', 'v1alpha1'])
    expect(parse(text, version)).toEqual({ url, samplingRatePerMillion });
});

test.each([
  ['endpoint: unix:///run/otel.sock', /endpoint: .*unix is not supported: spans are sent by OTLP over HTTP/],
  ['endpoint: unix-abstract:otel', /unix-abstract is not supported/],
  ['endpoint: ftp://collector', /endpoint: .*unsupported scheme: ftp. Options are none, dns, http or https/],
  ['endpoint: "host:port"', /endpoint: .*must be a host and a port, or a URL/],
  ['samplingRatePerMillion: -1', /samplingRatePerMillion: .*sampling rate must be positive/],
  ['samplingRatePerMillion: 1000001', /sampling rate per million must be less than or equal to one million/],
  ['samplingRatePerMillion: -1\nendpoint: unix:x', /sampling rate must be positive.*; endpoint: /],
  ['samplingRatePerMillion: often', /samplingRatePerMillion must be an integer/],
  ['rate: 1', /unknown field "rate"/],
])('%j is refused', (text, fault) => expect(() => parse(text)).toThrow(fault));

test('another kind or version is refused', () => {
  expect(() => parse('', 'v2')).toThrow(/apiVersion apiserver.config.k8s.io\/v1 or /);
  expect(() => parseTracingConfiguration('kind: AuthenticationConfiguration')).toThrow(/kind must be Tracing/);
});
