// Messages, services and errors of the calls between the kubelet and programs on this machine.

/** A message as a plain object: fields in camelCase, enums by name. */
export type Message = Readonly<Record<string, unknown>>;

/** A service of a protocol. */
export interface Service {
  /** Such as csi.v1.Node. */
  readonly name: string;
  /** The text of the protocol (proto3). */
  readonly proto: string;
}

/** Of an error's text: events are limited to 1024 bytes anyway. */
const longestDetails = 4096;

/** As gRPC's Go implementation names the codes: Kubernetes' events have these. */
const codeNames = [
  ...['OK', 'Canceled', 'Unknown', 'InvalidArgument', 'DeadlineExceeded', 'NotFound', 'AlreadyExists'],
  ...['PermissionDenied', 'ResourceExhausted', 'FailedPrecondition', 'Aborted', 'OutOfRange', 'Unimplemented'],
  ...['Internal', 'Unavailable', 'DataLoss', 'Unauthenticated'],
] as const;
export type RpcCode = (typeof codeNames)[number];

/** After one of these, the operation may still be in progress, or may have been done. */
const uncertain: readonly RpcCode[] = ['Canceled', 'DeadlineExceeded', 'Unavailable', 'ResourceExhausted', 'Aborted'];

export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: RpcCode;

  /** `details`: the text of the program that was called. */
  constructor(code: RpcCode, details: string) {
    const bounded = details.length > longestDetails ? `${details.slice(0, longestDetails)}...` : details;
    super(`rpc error: code = ${code} desc = ${bounded}`);
    this.code = code;
  }

  /** The operation has ended and has not been done. */
  get isFinal(): boolean {
    return !uncertain.includes(this.code);
  }
}

/** By the number of the code. */
export const rpcError = (code: number, details: string): RpcError =>
  new RpcError(codeNames[code] ?? 'Unknown', details || 'no text');

export interface CallLimits {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}
