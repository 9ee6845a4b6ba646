// The only place where a request becomes an operation, and its query and body the options and the content of a verb.

import type { Kind } from '../../api/api.ts';
import type { ApiRequest } from '../request/request.ts';
import { methodRefused } from '../status.ts';
import type { Operation } from './operation.ts';
import { listOptions } from './read/list-options.ts';
import type { Action } from './registry.ts';
import type { WriteContent } from './write/create.ts';
import { deleteOptions } from './write/delete-options.ts';
import { patchTypeOf } from './write/patch.ts';
import { checkPatchOptions, writeOptions } from './write/write-options.ts';

export const operationOf = (request: ApiRequest, kind: Kind): Operation => ({
  server: request.server,
  verb: request.info.verb,
  kind,
  namespace: kind.namespaced ? request.info.namespace : '',
  name: request.info.name,
  subresource: request.info.subresource,
  user: request.user,
  warnings: request.warnings,
  ...(request.audit && { audit: request.audit }),
  ...(request.waits && { waits: request.waits }),
  signal: () => request.signal,
  work: request,
});

/** `document` is the kind that a patch is for: the resource's own, or the subresource's document. */
export async function actionOf(request: ApiRequest, document: Kind): Promise<Action> {
  const { query, info } = request;
  switch (info.verb) {
    case 'get':
      return { verb: 'get', options: { resourceVersion: query.get('resourceVersion') ?? '' } };
    case 'list':
      return { verb: 'list', options: listOptions(query, false) };
    case 'watch':
      return { verb: 'watch', options: listOptions(query, true) };
    case 'create':
      return { verb: 'create', content: await contentOf(request, 'CreateOptions') };
    case 'update':
      return { verb: 'update', content: await contentOf(request, 'UpdateOptions') };
    case 'patch': {
      const type = patchTypeOf(request.contentType, document);
      const content = await contentOf(request, 'PatchOptions');
      checkPatchOptions(query, type === 'apply');
      return { verb: type === 'apply' ? 'apply' : 'patch', content: { type, ...content } };
    }
    case 'delete':
      return { verb: 'delete', options: await deleteOptions(await request.body(), query) };
    case 'deletecollection': {
      const options = await deleteOptions(await request.body(), query);
      return { verb: 'deletecollection', options, selectors: listOptions(query, false) };
    }
    default:
      throw methodRefused();
  }
}

async function contentOf(request: ApiRequest, optionsKind: string): Promise<WriteContent> {
  const options = writeOptions(request.query, optionsKind, clientOf(request));
  return { options, body: await request.body() };
}

/** Names the field manager of a client that names none. */
const clientOf = ({ agent, user }: ApiRequest): string => agent ?? user.name.replace(/^system:/, '');
