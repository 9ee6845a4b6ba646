// A gRPC probe: the health checking protocol, https://github.com/grpc/grpc/blob/master/doc/health-checking.md

import type { Clock } from '../../machinery/time/clock.ts';
import { formatDuration } from '../../machinery/time/duration.ts';

interface Outcome {
  readonly success: boolean;
  readonly message: string;
}

const servingStatuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const largestAnswer = 4096;

export async function grpcProbe(
  clock: Clock,
  target: { readonly host: string; readonly port: number; readonly service: string },
  timeoutMs: number,
): Promise<Outcome> {
  // Loaded on demand, because it is large; a bundled CommonJS module only has a `default` export.
  const { default: grpc } = await import('@grpc/grpc-js');
  const host = target.host.includes(':') ? `[${target.host}]` : target.host;
  const address = `${host}:${target.port}`;
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
    'grpc.primary_user_agent': 'kube-probe/1.36',
    'grpc.max_receive_message_length': largestAnswer,
    'grpc.enable_http_proxy': 0,
    'grpc.initial_reconnect_backoff_ms': 100,
  });
  const deadline = clock.now() + timeoutMs;
  const within = formatDuration(timeoutMs);
  try {
    const unreachable = await new Promise((resolve) => client.waitForReady(deadline, resolve));
    if (unreachable)
      return {
        success: false,
        message: `timeout: failed to connect service "${address}" within ${within}: context deadline exceeded`,
      };
    return await new Promise<Outcome>((resolve) =>
      client.makeUnaryRequest(
        '/grpc.health.v1.Health/Check',
        encodeRequest,
        decodeStatus,
        target.service,
        { deadline },
        (error, status = 0) => resolve(error ? failed(error, grpc.status, within) : answered(status)),
      ),
    );
  } finally {
    client.close();
  }
}

const answered = (status: number): Outcome =>
  status === 1
    ? { success: true, message: 'service healthy' }
    : { success: false, message: `service unhealthy (responded with "${servingStatuses[status] ?? status}")` };

function failed(
  { code, details }: { code: number; details: string },
  codes: { UNIMPLEMENTED: number; DEADLINE_EXCEEDED: number },
  within: string,
): Outcome {
  if (code === codes.UNIMPLEMENTED)
    return {
      success: false,
      message: `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${details}`,
    };
  if (code === codes.DEADLINE_EXCEEDED)
    return { success: false, message: `timeout: health rpc did not complete within ${within}` };
  return { success: false, message: `error: health rpc probe failed: ${details}` };
}

/** HealthCheckRequest { string service = 1; } */
function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service);
  if (name.length === 0) return name;
  const length = [];
  for (let left = name.length; ; left >>>= 7) {
    length.push(left > 127 ? (left & 127) | 128 : left);
    if (left <= 127) break;
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), name]);
}

/** HealthCheckResponse { ServingStatus status = 1; }: 0 if it is missing. */
const decodeStatus = (bytes: Buffer): number => (bytes[0] === 0x08 ? (bytes[1] ?? 0) : 0);
