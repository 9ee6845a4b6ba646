/** A raw body: an object from inside the process, or bytes with their media type. */
export type Body = { readonly object: object } | { readonly bytes: Buffer; readonly mediaType: string };
