// For tests: a webhook over HTTPS with a settable response, which records its requests.

import 'reflect-metadata';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { cryptoProvider, SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';

interface Reply {
  readonly code?: number;
  readonly type?: string;
  readonly text: string;
}

export interface TestHook {
  readonly url: string;
  /** Base64 of PEM. */
  readonly caBundle: string;
  readonly asked: any[];
  /** The trace contexts of the requests. */
  readonly traceparents: (string | undefined)[];
  /** The response of a well-formed review. */
  answer: (request: any, path: string) => unknown;
  /** The whole answer, instead of `answer`. */
  reply: ((review: any) => Reply) | undefined;
  /** Allows everything again, and clears the recorded requests. */
  reset(): void;
  stop(): void;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

async function certificate() {
  cryptoProvider.set(crypto);
  const keys: any = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const made = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=hook',
    keys,
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
  });
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return { cert: made.toString('pem'), key: `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n` };
}

export async function startHook(): Promise<TestHook> {
  const { cert, key } = await certificate();
  const server = createServer({ key, cert }, async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const path = request.url ?? '';
    const review = JSON.parse(Buffer.concat(parts).toString());
    hook.asked.push({ path, ...review });
    hook.traceparents.push(request.headers['traceparent'] as string | undefined);
    const { code = 200, type, text } = hook.reply?.(review) ?? { text: reviewed(review, path) };
    response.writeHead(code, type ? { 'content-type': type } : {}).end(text);
  });
  const reviewed = ({ request, apiVersion, kind }: any, path: string) => {
    const said = hook.answer(request, path);
    const isObject = typeof said === 'object' && said !== null && !Array.isArray(said);
    return JSON.stringify({ apiVersion, kind, response: isObject ? { uid: request.uid, ...said } : said });
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const hook: TestHook = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    caBundle: Buffer.from(cert).toString('base64'),
    asked: [],
    traceparents: [],
    answer: () => ({ allowed: true }),
    reply: undefined,
    reset() {
      hook.asked.length = 0;
      hook.traceparents.length = 0;
      hook.answer = () => ({ allowed: true });
      hook.reply = undefined;
    },
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
  return hook;
}
