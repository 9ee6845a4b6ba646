// Whether there is a response that the client accepts, before a request has effects.

import type { Kind } from '../../api/api.ts';
import { protobufSchema } from '../protobuf/protobuf.ts';
import { apiVersionOf } from '../registry/codec.ts';
import type { ApiRequest } from '../request/request.ts';
import { negotiate, negotiateStream } from './media-type.ts';

/** Throws a 406. */
export function checkAccepted({ headers, info }: ApiRequest, kind: Kind): void {
  const hasProtobuf = () => protobufSchema({ kind: kind.kind, apiVersion: apiVersionOf(kind) }) !== undefined;
  if (info.verb === 'watch') negotiateStream(headers.accept, hasProtobuf);
  else negotiate(headers.accept, hasProtobuf, !kind.custom && info.verb !== 'list');
}
