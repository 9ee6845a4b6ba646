import type { ApiRequest, Reply } from '../request.ts';

export async function openapiReply(_request: ApiRequest, _path: string): Promise<Reply | undefined> {
  return undefined;
}
