// For tests: an AuthenticationConfiguration with these entries, as the server reads it.

import { stringify } from 'yaml';
import { parseAuthenticationConfiguration } from './configuration.ts';

export const parse = (jwt: object[], more: object = {}) =>
  parseAuthenticationConfiguration(
    stringify({ apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AuthenticationConfiguration', jwt, ...more }),
    'https://own',
  );
