import { perRegistry } from '../../machinery/metrics.ts';

export const auditMetrics = perRegistry((metrics) => ({
  events: metrics
    .counter('apiserver_audit_event_total', 'Counter of audit events generated and sent to the audit backend.')
    .at(),
  levels: metrics.counter('apiserver_audit_level_total', 'Counter of policy levels for audit events (1 per request).'),
  errors: metrics.counter(
    'apiserver_audit_error_total',
    'Counter of audit events that failed to be audited properly. Plugin identifies the plugin affected by the error.',
  ),
}));
