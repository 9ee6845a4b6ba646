// Fields of messages by their numbers, for the documents of both OpenAPI versions.

export const text = (number: number) => ({ number, kind: 'string' }) as const;
export const texts = (number: number) => ({ number, kind: 'string', isList: true }) as const;
export const flag = (number: number) => ({ number, kind: 'bool' }) as const;
export const whole = (number: number) => ({ number, kind: 'int' }) as const;
export const real = (number: number) => ({ number, kind: 'double' }) as const;
export const extensions = (number: number) => ({ number, kind: 'any', of: 'extensions' }) as const;
