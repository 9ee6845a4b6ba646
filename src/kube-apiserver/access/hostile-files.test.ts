import { expect, test } from 'vitest';
import { mustBeClear, mutatedText } from '../../machinery/test-mutated.ts';
import fc from '../../machinery/test-property.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { parseAuthorizationConfiguration } from './authorization-configuration.ts';
import { AccessConfigurationError } from './configuration-file.ts';
import { parseAuthenticationConfiguration } from './jwt/configuration.ts';
import { jwtAuthenticator } from './jwt/jwt.ts';
import { staticTokens } from './static-tokens.ts';

const apiVersion = 'apiserver.config.k8s.io/v1';
const authentication = {
  apiVersion,
  kind: 'AuthenticationConfiguration',
  anonymous: { enabled: true, conditions: [{ path: '/livez' }] },
  jwt: [
    {
      issuer: {
        url: 'https://issuer.test',
        discoveryURL: 'https://other.test/.well-known/openid-configuration',
        audiences: ['a', 'b'],
        audienceMatchPolicy: 'MatchAny',
      },
      claimValidationRules: [
        { claim: 'hd', requiredValue: 'x' },
        { expression: 'claims.exp - claims.nbf <= 86400', message: 'too long' },
      ],
      claimMappings: {
        username: { expression: 'claims.sub' },
        groups: { claim: 'groups', prefix: 'g:' },
        uid: { claim: 'sub' },
        extra: [{ key: 'a.b/c', valueExpression: 'claims.team' }],
      },
      userValidationRules: [{ expression: "!user.username.startsWith('system:')", message: 'reserved' }],
    },
  ],
};
const authorization = {
  apiVersion,
  kind: 'AuthorizationConfiguration',
  authorizers: [
    {
      type: 'Webhook',
      name: 'hook',
      webhook: {
        timeout: '3s',
        authorizedTTL: '5m',
        unauthorizedTTL: '30s',
        subjectAccessReviewVersion: 'v1',
        matchConditionSubjectAccessReviewVersion: 'v1',
        failurePolicy: 'NoOpinion',
        connectionInfo: { type: 'KubeConfigFile', kubeConfigFile: '/k' },
        matchConditions: [{ expression: 'has(request.resourceAttributes)' }],
      },
    },
    { type: 'RBAC', name: 'rbac' },
  ],
};

const clock = new VirtualClock();
const readers = {
  authentication: {
    sample: authentication,
    read(text: string) {
      const { jwt = [] } = parseAuthenticationConfiguration(text, 'https://own');
      for (const entry of jwt) jwtAuthenticator(entry, clock);
    },
  },
  authorization: { sample: authorization, read: (text: string) => void parseAuthorizationConfiguration(text) },
  'a changed authorization': {
    sample: authorization,
    read: (text: string) =>
      void parseAuthorizationConfiguration(text, parseAuthorizationConfiguration(JSON.stringify(authorization))),
  },
  'static tokens': { sample: 'token,user,uid,"a,b"\n', read: (text: string) => void staticTokens(text) },
} as const;

test.each(Object.entries(readers))('%s: any file is read or refused with a clear message', (_, { sample, read }) => {
  read(typeof sample === 'string' ? sample : JSON.stringify(sample));
  fc.assert(
    fc.property(mutatedText(sample), (text) => {
      try {
        read(text);
      } catch (error) {
        expect(error).toBeInstanceOf(AccessConfigurationError);
        mustBeClear((error as Error).message);
      }
    }),
    { numRuns: 1_500 },
  );
});
