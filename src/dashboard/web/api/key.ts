/** The header that shows that a page of the console sends the request. */
export const keyHeaders = (key: string): Record<string, string> => ({ 'X-Coracle-Key': key });
