// Metrics of the allocation of service addresses and node ports.

import { defaultBuckets, perRegistry } from '../../machinery/metrics.ts';

const address = 'kube_apiserver_clusterip_allocator';
const port = 'kube_apiserver_nodeport_allocator';
const repair = 'apiserver_nodeport_repair';

export const allocationMetrics = perRegistry((metrics) => ({
  address: {
    total: metrics.counter(`${address}_allocation_total`, 'Number of Cluster IPs allocations'),
    errors: metrics.counter(`${address}_allocation_errors_total`, 'Number of errors trying to allocate Cluster IPs'),
  },
  addressDuration: metrics.histogram(
    `${address}_allocation_duration_seconds`,
    'Duration in seconds to allocate a Cluster IP by ServiceCIDR',
    defaultBuckets,
  ),
  port: {
    total: metrics.counter(`${port}_allocation_total`, 'Number of NodePort allocations'),
    errors: metrics.counter(`${port}_allocation_errors_total`, 'Number of errors trying to allocate NodePort'),
  },
  portRepair: {
    errors: metrics.counter(`${repair}_port_errors_total`, 'Number of errors detected on node ports, by type.'),
    failures: metrics.counter(`${repair}_reconcile_errors_total`, 'Number of failed looks at node ports.'),
  },
}));
