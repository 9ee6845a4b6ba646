// The arguments of a part of the node, in the forms --name=value and --name value.

/** Throws an error that names an unsupported argument. `readers` throw an error that says which values are allowed. */
export function readFlags<Values extends object>(
  args: readonly string[],
  readers: { readonly [Name in keyof Values]-?: (text: string) => Values[Name] },
): Partial<Values> {
  const values: Partial<Values> = {};
  for (let i = 0; i < args.length; i++) {
    const [, flag, , inline] = /^--?([a-z][a-z-]*)(=(.*))?$/s.exec(args[i]) ?? [];
    if (flag === undefined || !Object.hasOwn(readers, flag))
      throw new Error(
        `unsupported argument ${JSON.stringify(args[i])}: supported are ${Object.keys(readers)
          .map((name) => `--${name}`)
          .join(', ')}`,
      );
    const name = flag as keyof Values;
    const text = inline ?? args[++i];
    if (text === undefined) throw new Error(`--${flag} needs a value`);
    try {
      values[name] = readers[name](text);
    } catch (error) {
      throw new Error(`--${flag}=${text}: ${(error as Error).message}`, { cause: error });
    }
  }
  return values;
}

export function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new Error('it must be a port from 1 to 65535');
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Such as 127.0.0.1:10249 or [::1]:10249; an address alone has the default port; an empty text: none. */
export const endpoint =
  (defaultPort: number) =>
  (text: string): Endpoint | undefined => {
    if (text === '') return undefined;
    const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:]+)\]|([0-9.]+))(?::(\d+))?$/.exec(text) ?? [];
    const host = bracketed ?? plain;
    if (host === undefined) throw new Error('it must be an address and a port, such as 127.0.0.1:10249');
    return { host, port: port === undefined ? defaultPort : portNumber(port) };
  };
