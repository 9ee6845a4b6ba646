// For tests: fast-check, which plays the same cases in every run. `coracle test --long FILE` draws new ones, and a
// failure prints the seed.

import fc from 'fast-check';

declare const process: { env: Readonly<Record<string, string | undefined>> };

if (!process.env['CORACLE_TEST_LONG']) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: 20_261_127 });

export default fc;
