// Links in HTML pages of a proxied backend: those from its root lead back through the proxy. A page is rewritten while it
// passes, and never held as a whole.

import { pipeline, type Readable, Transform } from 'node:stream';
import { createDeflateRaw, createGunzip, createGzip, createInflateRaw } from 'node:zlib';
import { Tokenizer } from 'htmlparser2';
import type { RawReply } from '../request/reply.ts';

/** Attributes with URLs, by tag, as in Kubernetes. */
const linksOf: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};

/** Gives the link as it is to be; undefined leaves it. */
type Rewrite = (link: string) => string | undefined;

const codings: Readonly<Record<string, readonly [() => Transform, () => Transform] | undefined>> = {
  gzip: [createGunzip, createGzip],
  deflate: [createInflateRaw, createDeflateRaw],
};

/** Rewrites the links of a page; other replies, and pages in an unknown encoding, stay. */
export function withHtmlLinks(reply: RawReply, rewrite: Rewrite): RawReply {
  if (reply.contentType.split(';', 1)[0]?.trim() !== 'text/html') return reply;
  const { 'Content-Length': _, ...headers } = reply.headers ?? {};
  const encoding = String(headers['Content-Encoding'] ?? '');
  const coding = Object.hasOwn(codings, encoding) ? codings[encoding] : undefined;
  if (encoding && !coding) return reply;
  const links = new HtmlLinks(rewrite);
  const rewriting = new Transform({
    transform: (chunk: Buffer, _encoding, done) =>
      done(null, Buffer.from(links.write(chunk.toString('latin1')), 'latin1')),
    flush: (done) => done(null, Buffer.from(links.end(), 'latin1')),
  });
  const streams = coding ? [coding[0](), rewriting, coding[1]()] : [rewriting];
  // The reader of the last stream gets the error.
  pipeline([reply.body as Readable, ...streams], () => {});
  return { ...reply, headers, body: streams.at(-1) as Readable };
}

/** Longer tags and comments are passed on as they are, and all that follows. */
const mostHeld = 1 << 20;

interface Tag {
  readonly name: string;
  readonly attributes: { readonly name: string; value: string }[];
}

/** Each character is one byte, so that a page in any encoding that extends ASCII keeps its bytes. */
export class HtmlLinks {
  readonly #rewrite: Rewrite;
  readonly #tokenizer: Tokenizer;
  /** Pending text, and its offset in the page. */
  #held = '';
  #from = 0;
  /** Text before this offset is final. */
  #settled = 0;
  #tag: Tag | undefined;
  #out = '';
  #gaveUp = false;

  constructor(rewrite: Rewrite) {
    this.#rewrite = rewrite;
    const settle = (_: number, end: number) => {
      this.#settled = end;
    };
    this.#tokenizer = new Tokenizer(
      { decodeEntities: true },
      {
        onopentagname: (start, end) => {
          this.#pass(start - 1);
          this.#tag = { name: this.#slice(start, end).toLowerCase(), attributes: [] };
        },
        onattribname: (start, end) =>
          this.#tag?.attributes.push({ name: this.#slice(start, end).toLowerCase(), value: '' }),
        onattribdata: (start, end) => this.#add(this.#slice(start, end)),
        onattribentity: (code) => this.#add(Buffer.from(String.fromCodePoint(code)).toString('latin1')),
        onattribend: () => {},
        onopentagend: (end) => this.#close(end, '>'),
        onselfclosingtag: (end) => this.#close(end, '/>'),
        ontext: settle,
        ontextentity: (_, end) => settle(0, end),
        onclosetag: settle,
        oncomment: settle,
        oncdata: settle,
        ondeclaration: settle,
        onprocessinginstruction: settle,
        onend: () => {},
      },
    );
  }

  write(text: string): string {
    if (this.#gaveUp) return text;
    this.#held += text;
    this.#tokenizer.write(text);
    if (!this.#tag) this.#pass(this.#settled);
    if (this.#held.length > mostHeld) {
      this.#gaveUp = true;
      this.#pass(this.#from + this.#held.length);
    }
    return this.#taken();
  }

  end(): string {
    if (this.#gaveUp) return '';
    this.#tokenizer.end();
    this.#pass(this.#from + this.#held.length);
    return this.#taken();
  }

  #taken(): string {
    const out = this.#out;
    this.#out = '';
    return out;
  }

  #slice = (start: number, end: number): string => this.#held.slice(start - this.#from, end - this.#from);

  #add(text: string): void {
    const last = this.#tag?.attributes.at(-1);
    if (last) last.value += text;
  }

  /** Writes pending text up to here unchanged. */
  #pass(to: number): void {
    if (to <= this.#from) return;
    this.#out += this.#slice(this.#from, to);
    this.#drop(to);
  }

  #drop(to: number): void {
    this.#held = this.#held.slice(to - this.#from);
    this.#from = to;
  }

  /** Writes the tag again, as Go's tokenizer does. */
  #close(end: number, close: string): void {
    const { name, attributes } = this.#tag as Tag;
    const links = Object.hasOwn(linksOf, name) ? (linksOf[name] as readonly string[]) : [];
    this.#tag = undefined;
    const written = attributes.map(({ name: attribute, value }) => {
      const link = links.includes(attribute) ? (this.#rewrite(value) ?? value) : value;
      return ` ${attribute}="${escaped(link)}"`;
    });
    this.#out += `<${name}${written.join('')}${close}`;
    this.#drop(end + 1);
    this.#settled = end + 1;
  }
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  "'": '&#39;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  '\r': '&#13;',
};

const escaped = (text: string): string => text.replace(/[&'<>"\r]/g, (character) => entities[character] as string);
