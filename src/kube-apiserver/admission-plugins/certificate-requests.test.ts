// CertificateApproval, CertificateSigning and CertificateSubjectRestriction.

import { beforeEach, expect, test } from 'vitest';
import { certificateRequest } from '../../cluster/certificates/test-certificate-request.ts';
import type { Authorizer } from '../access/authorization.ts';
import { admissionServer } from './test-admission.ts';

const { call, start, transport } = admissionServer();
const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const rights = new Set<string>();

/** The user `eve` has the rights of a test on signers, and all others. */
const authorizer: Authorizer = {
  name: 'test',
  authorize: ({ user, verb, resource, name }) => ({
    decision: user.name !== 'eve' || resource !== 'signers' || rights.has(`${verb} ${name}`) ? 'allow' : 'no-opinion',
  }),
};

beforeEach(async () => {
  rights.clear();
  await start({ authorizers: [authorizer] });
});

async function ask(signerName: string, organization = 'team') {
  const pem = await certificateRequest({ subject: [{ O: [organization] }, { CN: ['jane'] }] });
  const spec = { request: btoa(pem), signerName, usages: ['client auth'] };
  return call('POST', path, { metadata: { name: 'r' }, spec });
}

/** Eve's update of a subresource. */
async function update(subresource: 'approval' | 'status', status: object) {
  const { body } = await call('GET', `${path}/r`);
  const answer: { code: number; body?: any } = await transport({ name: 'eve', groups: ['system:authenticated'] }).send({
    method: 'PUT',
    path: `${path}/r/${subresource}`,
    query: {},
    body: { ...body, status },
  });
  return [answer.code, answer.code === 200 ? undefined : answer.body.message];
}

const refused = (verb: string) => [
  403,
  `certificatesigningrequests.certificates.k8s.io "r" is forbidden: user not permitted to ${verb} requests with signerName "a.test/b"`,
];
const condition = (type: string) => ({ type, status: 'True', reason: 'Test', message: 'test' });

test.each([
  ['no right', '', refused('approve')],
  ['the right on the signer', 'approve a.test/b', [200, undefined]],
  ['the right on all signers of the domain', 'approve a.test/*', [200, undefined]],
  ['the right on another signer', 'approve a.test/c', refused('approve')],
  ['the right to sign', 'sign a.test/b', refused('approve')],
])('approval by a user with %s', async (_, right, expected) => {
  await ask('a.test/b');
  rights.add(right);
  expect(await update('approval', { conditions: [condition('Approved')] })).toEqual(expected);
});

test.each([
  ['no right', '', refused('sign')],
  ['the right on the signer', 'sign a.test/b', [200, undefined]],
  ['the right on all signers of the domain', 'sign a.test/*', [200, undefined]],
  ['the right to approve', 'approve a.test/b', refused('sign')],
])('a condition of the status by a user with %s', async (_, right, expected) => {
  await ask('a.test/b');
  rights.add(right);
  expect(await update('status', { conditions: [condition('Failed')] })).toEqual(expected);
});

test('an unchanged status needs no right', async () => {
  await ask('a.test/b');
  expect(await update('status', {})).toEqual([200, undefined]);
});

test.each([
  ['kubernetes.io/kube-apiserver-client', 'system:masters', 403],
  ['kubernetes.io/kube-apiserver-client', 'team', 201],
  ['a.test/b', 'system:masters', 201],
])('a request of the signer %s for the group %s', async (signer, organization, expected) => {
  const { code, body } = await ask(signer, organization);
  expect(code).toBe(expected);
  if (code === 403)
    expect(body.message).toBe(
      'certificatesigningrequests.certificates.k8s.io "r" is forbidden: use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed',
    );
});
