// Requests to one server, with the credentials and through the proxy that its configuration names.

import * as http from 'node:http';
import * as https from 'node:https';
import { trusting } from '../../machinery/certificates/trusting.ts';
import { connectThroughSocks } from './socks.ts';

export interface Credentials {
  /** The header of requests. */
  readonly authorization?: string;
  /** PEM of the client's certificate and key. */
  readonly cert?: string;
  readonly key?: string;
}

/** Credentials that change while they are used. */
export interface CredentialSource {
  /** The present ones. Rejects when there are none. */
  get(): Promise<Credentials>;
  /** The server answered 401: these are not given again. */
  refuse(credentials: Credentials): void;
}

export interface ConnectionOptions {
  /** Base URL, such as https://127.0.0.1:6443. */
  readonly server: string;
  /** PEM of the trusted authorities for the server's certificate. Default: the system's. */
  readonly ca?: string | undefined;
  /** PEM of the client's certificate and key. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Bearer token, or where to get the current one. */
  readonly token?: string | (() => string | Promise<string>) | undefined;
  /** In place of certificate and token. */
  readonly credentials?: CredentialSource | undefined;
  /** Further headers of every request. */
  readonly headers?: Readonly<Record<string, string | string[]>> | undefined;
  /** Name that the server's certificate must have, where it is not the URL's. */
  readonly serverName?: string | undefined;
  /** Accepts any server certificate. */
  readonly insecureSkipTlsVerify?: boolean | undefined;
  /** Proxies by Node's names of the environment's variables, such as HTTPS_PROXY and NO_PROXY. Default: none. */
  readonly proxyEnv?: Readonly<Record<string, string | undefined>> | undefined;
  /** socks5:// or socks5h://, in place of `proxyEnv`. */
  readonly socksProxy?: string | undefined;
}

export interface Call {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: http.OutgoingHttpHeaders;
  readonly signal?: AbortSignal | undefined;
}

interface Started {
  /** Not ended. */
  readonly request: http.ClientRequest;
  /** For an answer of 401. Returns whether other credentials may follow. */
  refuse(): boolean;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #base: URL;
  readonly #isSecure: boolean;
  #agent: http.Agent | undefined;
  /** The certificate of the agent. */
  #cert: string | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#base = new URL(options.server);
    this.#isSecure = this.#base.protocol === 'https:';
  }

  async start({ method, path, headers, signal }: Call): Promise<Started> {
    const { credentials: source, headers: always } = this.#options;
    const credentials = source ? await source.get() : await this.#own();
    const { authorization } = credentials;
    const request = (this.#isSecure ? https : http).request({
      agent: this.#agentOf(credentials),
      host: this.#base.hostname.replace(/^\[|\]$/g, ''),
      port: this.#base.port || (this.#isSecure ? 443 : 80),
      method,
      path: this.#base.pathname.replace(/\/$/, '') + path,
      headers: { ...headers, ...always, ...(authorization && { authorization }) },
      ...(signal && { signal }),
    });
    return {
      request,
      refuse() {
        source?.refuse(credentials);
        return source !== undefined;
      },
    };
  }

  /** Ends all connections. */
  close(): void {
    this.#agent?.destroy();
  }

  async #own(): Promise<Credentials> {
    const { token, cert, key } = this.#options;
    const text = typeof token === 'function' ? await token() : token;
    return { ...(cert && { cert }), ...(key && { key }), ...(text && { authorization: `Bearer ${text}` }) };
  }

  /** A new certificate needs new connections: the server knows the user by it. */
  #agentOf({ cert, key }: Credentials): http.Agent {
    if (this.#agent && this.#cert === cert) return this.#agent;
    this.#agent?.destroy();
    this.#cert = cert;
    return (this.#agent = this.#newAgent(cert, key));
  }

  #newAgent(cert: string | undefined, key: string | undefined): http.Agent {
    const { ca, serverName, insecureSkipTlsVerify, proxyEnv, socksProxy } = this.#options;
    const common = {
      ...{ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
      ...(proxyEnv && { proxyEnv: { ...proxyEnv } }),
    };
    const tls = { ...trusting(ca), cert, key, servername: serverName, rejectUnauthorized: !insecureSkipTlsVerify };
    const agent = this.#isSecure ? new https.Agent({ ...common, ...tls }) : new http.Agent(common);
    if (socksProxy) connectThroughSocks(agent, new URL(socksProxy));
    return agent;
  }
}
