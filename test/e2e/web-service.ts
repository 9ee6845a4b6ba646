/**
 * A pod on each node behind a load balancer that keeps the client's address: /cgi-bin/who answers with the name of the
 * node and the address of the client. `image` has busybox.
 */
export function webService(image: string): readonly object[] {
  const script =
    "mkdir -p /www/cgi-bin; printf '#!/bin/sh\\necho; echo $NODE $REMOTE_ADDR\\n' > /www/cgi-bin/who; chmod +x /www/cgi-bin/who; httpd -f -p 8080 -h /www";
  const container = {
    name: 'web',
    image,
    command: ['sh', '-c', script],
    env: [{ name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
    readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
  };
  const labels = { app: 'web' };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'web' },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [container] } },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: {
        ...{ type: 'LoadBalancer', externalTrafficPolicy: 'Local', selector: labels },
        ports: [{ port: 80, targetPort: 8080 }],
      },
    },
  ];
}
