/** Of cluster DNS: CoreDNS' own manifests have the same selector and names of ports. */
export const dnsServiceSpec = {
  selector: { 'k8s-app': 'kube-dns' },
  ports: [
    { name: 'dns', port: 53, protocol: 'UDP', targetPort: 'dns' },
    { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 'dns-tcp' },
    { name: 'metrics', port: 9153, protocol: 'TCP', targetPort: 'metrics' },
  ],
};
