import packageFile from '../../package.json' with { type: 'json' };

/** Coracle's own version. */
export const version: string = packageFile.version;
