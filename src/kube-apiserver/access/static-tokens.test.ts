import { describe, expect, test } from 'vitest';
import { AccessConfigurationError } from './configuration-file.ts';
import { staticTokens } from './static-tokens.ts';

const userOf = (csv: string, token: string) => staticTokens(csv).authenticateToken?.(token, []);

describe('token file', () => {
  test.each([
    {
      case: 'plain',
      csv: 't1,ann,1\n',
      token: 't1',
      user: { name: 'ann', uid: '1', groups: ['system:authenticated'] },
    },
    {
      case: 'with groups',
      csv: 't1,ann,1,"dev,ops"\r\n',
      token: 't1',
      user: { name: 'ann', uid: '1', groups: ['dev', 'ops', 'system:authenticated'] },
    },
    {
      case: 'with quotes in a name, a blank line, and no line end',
      csv: '\n"t2","a ""b""",2',
      token: 't2',
      user: { name: 'a "b"', uid: '2', groups: ['system:authenticated'] },
    },
    {
      case: 'without a uid',
      csv: 't1,ann,,"system:masters"',
      token: 't1',
      user: { name: 'ann', groups: ['system:masters', 'system:authenticated'] },
    },
    { case: 'another token', csv: 't1,ann,1', token: 't', user: undefined },
    { case: 'an empty file', csv: '', token: '', user: undefined },
  ])('$case', async ({ csv, token, user }) => expect(await userOf(csv, token)).toEqual(user));

  test.each([
    { csv: 't1,ann', why: 'record 1 must have at least 3 columns (token, user name, user uid)' },
    { csv: 't1,ann,1\n,bob,2', why: 'record 2 has an empty token' },
    { csv: 't1,,1', why: 'record 1 has no user name' },
    { csv: 't1,"ann"x,1', why: /quotes must enclose a whole field/ },
  ])('refuses $csv', ({ csv, why }) => {
    expect(() => staticTokens(csv)).toThrow(AccessConfigurationError);
    expect(() => staticTokens(csv)).toThrow(why);
  });
});
