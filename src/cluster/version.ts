import packageFile from '../../package.json' with { type: 'json' };

/** Coracle's version. */
export const version: string = packageFile.version;
