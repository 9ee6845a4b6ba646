// The documentation of types and fields. It is large and rarely used, so it is loaded on first use.

/** Name of a type -> field -> text; the empty name has the type's text. */
export type Documentation = Readonly<Record<string, Readonly<Record<string, string>>>>;

let loaded: Promise<Documentation> | undefined;

export function documentation(): Promise<Documentation> {
  loaded ??= import('./generated/docs.ts').then(({ docsText }) => JSON.parse(docsText) as Documentation);
  return loaded;
}
