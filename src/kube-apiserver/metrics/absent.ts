// Metrics of kube-apiserver that have no meaning here, with the reason of each.

const peers = 'API servers do not merge the discovery of their peers (in Kubernetes only with --peer-ca-file)';
const goTls = "counts certificates that Go's TLS once accepted; Node's TLS never did";
const registry =
  "counts Go's own registry of metrics: Coracle's metrics have no stability levels and cannot be turned off";
const ownClient = 'the own client of the server calls its pipeline directly, without HTTP';
const generated = 'there is one implementation of validation: none that it could differ from';
const grpcOfEtcd = "counts calls of Go's gRPC client; etcd_requests_total counts those of the store here";

export const absentMetrics: Readonly<Record<string, string>> = {
  aggregator_discovery_peer_aggregated_cache_hits_total: peers,
  aggregator_discovery_peer_aggregated_cache_misses_total: peers,
  apiextensions_apiserver_validation_ratcheting_seconds:
    'old and new values are compared as part of each rule, and not in a step of their own',
  apiserver_audit_requests_rejected_total: 'a backend that fails loses events, and never rejects a request',
  apiserver_envelope_encryption_dek_cache_fill_percent: 'belongs to KMS v1, which is refused',
  apiserver_kube_aggregator_x509_insecure_sha1_total: goTls,
  apiserver_kube_aggregator_x509_missing_san_total: goTls,
  apiserver_request_timestamp_comparison_time:
    'an update is compared with its object once, and not for timestamps apart',
  apiserver_validation_declarative_validation_mismatch_total: generated,
  apiserver_validation_declarative_validation_panic_total: generated,
  apiserver_validation_duplicate_validation_error_total: generated,
  apiserver_webhooks_x509_insecure_sha1_total: goTls,
  apiserver_webhooks_x509_missing_san_total: goTls,
  cardinality_enforcement_unexpected_categorizations_total: registry,
  disabled_metrics_total: registry,
  etcd_bookmark_total: 'one watch of the store serves all resources, and its progress belongs to none of them',
  grpc_client_handled_total: grpcOfEtcd,
  grpc_client_msg_received_total: grpcOfEtcd,
  grpc_client_msg_sent_total: grpcOfEtcd,
  grpc_client_started_total: grpcOfEtcd,
  hidden_metrics_total: registry,
  registered_metrics_total: registry,
  rest_client_exec_plugin_certificate_rotation_age: ownClient,
  rest_client_exec_plugin_ttl_seconds: ownClient,
  rest_client_request_duration_seconds: ownClient,
  rest_client_request_size_bytes: ownClient,
  rest_client_requests_total: ownClient,
  rest_client_response_size_bytes: ownClient,
  rest_client_transport_cache_entries: ownClient,
  rest_client_transport_cert_rotation_gc_calls_total: ownClient,
  rest_client_transport_create_calls_total: ownClient,
};
