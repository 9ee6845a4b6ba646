// Pages that come through the proxy of an API server have links to that proxy. In a preview of the console they lead to the
// preview instead.

import { Transform } from 'node:stream';

interface Places {
  /** The path of the proxy, up to and with `/proxy/`. */
  readonly proxy: string;
  /** The path of the preview, with a slash at its end. */
  readonly place: string;
}

export const placesOf = (path: string, preview: string): Places => ({
  proxy: /^(\/[^/]*){6}\/proxy(\/|$)/.exec(path)?.[0] ?? path,
  place: `${preview}/`,
});

/** Replaces the path of the proxy while a page passes, also where it is split between two pieces. */
export function leadingTo(path: string, preview: string): Transform {
  const { proxy, place } = placesOf(path, preview);
  let rest = '';
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const text = (rest + chunk.toString('latin1')).replaceAll(proxy, () => place);
      // The end may be the beginning of the next match.
      const kept = beginningAtEnd(text, proxy);
      rest = kept > 0 ? text.slice(-kept) : '';
      done(null, Buffer.from(kept > 0 ? text.slice(0, -kept) : text, 'latin1'));
    },
    flush: (done) => done(null, Buffer.from(rest, 'latin1')),
  });
}

function beginningAtEnd(text: string, wanted: string): number {
  for (let length = Math.min(wanted.length - 1, text.length); length > 0; length--)
    if (text.endsWith(wanted.slice(0, length))) return length;
  return 0;
}
