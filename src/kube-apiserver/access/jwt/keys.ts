// The public keys of an issuer: found by OpenID Connect discovery, and read again when a token names an unknown one.
// https://openid.net/specs/openid-connect-discovery-1_0.html

import type { JSONWebKeySet } from 'jose';
import { callRemote } from '../../../client/client.ts';
import { fieldsIn, textIn } from '../../../machinery/parsed.ts';
import type { Clock } from '../../../machinery/time/clock.ts';
import { BoundedWaits } from '../bounded-waits.ts';
import type { JwtIssuer } from './types.ts';

const timeoutMs = 30_000;
/** Tokens with made-up key ids, or for an issuer that fails, must not become requests to the issuer. */
const shortestIntervalMs = 5_000;

export class IssuerKeys {
  readonly #issuer: JwtIssuer['issuer'];
  readonly #clock: Clock;
  readonly #waits = new BoundedWaits();
  #jwksUri: string | undefined;
  #keys: JSONWebKeySet | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<JSONWebKeySet> | undefined;
  #failure: { readonly error: Error; readonly at: number } | undefined;

  constructor(issuer: JwtIssuer['issuer'], clock: Clock) {
    this.#issuer = issuer;
    this.#clock = clock;
  }

  /** Rejects with an Error while the issuer cannot be read and never was. */
  async current(): Promise<JSONWebKeySet> {
    return this.#keys ?? this.#waits.wait(() => this.#read());
  }

  /** Keys read after now; those at hand when the issuer was read a moment ago. */
  async renewed(): Promise<JSONWebKeySet> {
    if (this.#keys && this.#clock.monotonic() - this.#readAt < shortestIntervalMs) return this.#keys;
    return this.#waits
      .wait(() => this.#read())
      .catch((error) => {
        if (this.#keys) return this.#keys;
        throw error;
      });
  }

  async #read(): Promise<JSONWebKeySet> {
    if (this.#failure && this.#clock.monotonic() - this.#failure.at < shortestIntervalMs) throw this.#failure.error;
    this.#failure = undefined;
    this.#reading ??= this.#fetch()
      .catch((error) => {
        this.#failure = { error, at: this.#clock.monotonic() };
        throw error;
      })
      .finally(() => {
        this.#reading = undefined;
      });
    return this.#reading;
  }

  async #fetch(): Promise<JSONWebKeySet> {
    this.#jwksUri ??= await this.#discover();
    const keys = await this.#get(this.#jwksUri);
    if (!Array.isArray((keys as Partial<JSONWebKeySet>).keys)) throw new Error(`${this.#jwksUri} holds no key set`);
    this.#keys = keys as JSONWebKeySet;
    this.#readAt = this.#clock.monotonic();
    return this.#keys;
  }

  async #discover(): Promise<string> {
    const { url, discoveryURL } = this.#issuer;
    const at = discoveryURL ?? `${url.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const document = fieldsIn(await this.#get(at));
    const [issuer, keys] = [textIn(document['issuer']), textIn(document['jwks_uri'])];
    if (issuer !== url)
      throw new Error(`oidc: issuer did not match the issuer returned by provider, expected "${url}" got "${issuer}"`);
    if (!keys.startsWith('https://') || !URL.canParse(keys))
      throw new Error('provider did not return a JWKS URL over https');
    return keys;
  }

  async #get(url: string): Promise<object> {
    const ca = this.#issuer.certificateAuthority;
    const { code, text } = await callRemote({ url, ...(ca && { ca }) }, { timeoutMs });
    if (code !== 200) throw new Error(`${url} answered ${code}`);
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) throw new Error(`${url} holds no object`);
    return value;
  }
}
