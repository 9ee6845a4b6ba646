// Requests for pages beside the API, and their responses, as the API server hands them to a site.

export interface PageRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: { get(name: string): string | null };
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly isUpgrade: boolean;
  /** Throws 413 if it is too large. */
  body(): Promise<Uint8Array>;
}

/** A whole response. */
export interface Page {
  readonly type: 'page';
  readonly code: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}
