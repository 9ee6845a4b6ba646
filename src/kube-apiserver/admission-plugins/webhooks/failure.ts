// How a webhook fails, in the words of Kubernetes' client.

import { ApiError } from '../../../api/api.ts';

/** The webhook refuses the request. */
export class Denied extends ApiError {}

/** A call that has no usable answer. Whether it refuses the request is up to the webhook's failure policy. */
export class WebhookFailure extends Error {
  override readonly name = 'WebhookFailure';
  /** For metrics: that of the answer, or 503. */
  readonly code: number;

  constructor(message: string, code = 503) {
    super(message);
    this.code = code;
  }
}

const messages: Readonly<Record<number, string>> = {
  400: 'the server rejected our request for an unknown reason',
  401: 'the server has asked for the client to provide credentials',
  404: 'the server could not find the requested resource',
  405: 'the server does not allow this method on the requested resource',
  409: 'the server reported a conflict',
  422: 'the server rejected our request due to an error in our request',
  429: 'the server has received too many requests and has asked us to try again later',
  503: 'the server is currently unable to handle the request',
  504: 'the server was unable to return a response in the time allotted, but may still be processing the request',
};

/** Codes whose message is the text of the answer. */
const ownWords = [403, 406, 415];
const longestText = 2_048;

/** An error response; `contentType` decides whether its text is used. */
export function refusedCall(code: number, text: string, contentType: string | undefined): WebhookFailure {
  const isText = !contentType || contentType.startsWith('text/');
  const said = isText ? text.slice(0, longestText).trim() : 'unknown';
  const message =
    messages[code] ??
    (ownWords.includes(code)
      ? said
      : code >= 500
        ? `an error on the server (${JSON.stringify(said)}) has prevented the request from succeeding`
        : `the server responded with the status code ${code} but did not return more information`);
  return new WebhookFailure(message, code);
}
