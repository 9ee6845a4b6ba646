import { perRegistry } from '../../machinery/metrics.ts';

export const connectionMetrics = perRegistry((metrics) => ({
  handshakeErrors: metrics
    .counter('apiserver_tls_handshake_errors_total', "Number of requests dropped with 'TLS handshake error from' error")
    .at(),
}));
