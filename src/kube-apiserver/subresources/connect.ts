import type { Subresource } from './subresources.ts';
export const connects: Readonly<Record<string, Subresource>> = {};
