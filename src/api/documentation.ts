// The documentation of types and fields. It is large and seldom asked for, so it is loaded when first needed.

/** Name of a type -> field -> text; the type's own text is under the empty name. */
export type Documentation = Readonly<Record<string, Readonly<Record<string, string>>>>;

let loaded: Promise<Documentation> | undefined;

export function documentation(): Promise<Documentation> {
  loaded ??= import('./generated/docs.ts').then(({ docsText }) => JSON.parse(docsText) as Documentation);
  return loaded;
}
