// The request as the stages of the pipeline see it, whether it came over a socket or from inside the process.

import type { Readable } from 'node:stream';
import type { HistogramSeries } from '../../machinery/metrics.ts';
import type { AuditTrail } from '../audit/trail.ts';
import type { Server } from '../server.ts';
import type { Body } from './body.ts';
import type { Connection, Headers } from './connection.ts';
import type { Reply } from './reply.ts';
import type { RequestInfo } from './request-info.ts';
import type { UserInfo } from './user.ts';
import type { Waits } from './waits.ts';

export interface ApiRequest extends Headers {
  readonly server: Server;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** The query as it came over a socket, without its mark: it is forwarded byte by byte. */
  readonly rawQuery?: string;
  readonly info: RequestInfo;
  /** Of the body; '' when none is given. */
  readonly contentType: string;
  /** The client program's name for itself, as in a User-Agent header. */
  readonly agent: string | undefined;
  /** Set by `identify`. */
  user: UserInfo;
  /** Set by `identify`: when authentication began and ended, on the monotonic clock. */
  identified?: { readonly startMs: number; readonly endMs: number };
  /** Reads the body; throws 413 if it is too large. Undefined without a body. */
  body(): Promise<Body | undefined>;
  /** The body as a stream, for stages that forward it and never call `body`. */
  readonly stream?: Readable;
  readonly signal: AbortSignal;
  /** Aborts the signal; set for a request over a socket. */
  readonly giveUp?: () => void;
  /** Texts for Warning headers, in the order in which they are sent. */
  readonly warnings: string[];
  /** Set by `audit`, when requests are recorded. */
  audit?: AuditTrail;
  /** Set by `limit`: the flow of priority and fairness that the request belongs to. */
  flow?: { readonly schemaUid: string | undefined; readonly levelUid: string | undefined };
  /** Set by `measure`. */
  waits?: Waits;
  /** Set by `measure`: the metrics that the response counts for. */
  series?: { readonly responseSizes: HistogramSeries | undefined };
  /** Set for a request over a socket. */
  readonly connection?: Connection;
  /** Links of a proxied page lead below this path; default: that of the proxy. */
  readonly proxyPrefix?: string;
}

export type Stage = (request: ApiRequest, next: () => Promise<Reply>) => Promise<Reply>;
