// `authorizer` in expressions. Programs are synchronous and authorizers are not: a program that needs a missing
// decision is stopped, and restarted when the decision is available.

import type { AccessQuestion, Decision } from '../../../machinery/cel/cel.ts';
import { AuthorizerValue, ResourceCheckValue } from '../../../machinery/cel/cel.ts';
import type { Clock } from '../../../machinery/time/clock.ts';
import { type Attributes, decide } from '../../access/authorization.ts';
import { fieldRequirements } from '../../access/selector-requirements.ts';
import type { AdmissionAttributes } from '../../admission.ts';
import type { UserInfo } from '../../request/user.ts';

/** Thrown through a program. It is not an evaluation fault, so programs do not catch it. */
export class Unanswered {
  readonly answer: Promise<void>;
  constructor(answer: Promise<void>) {
    this.answer = answer;
  }
}

/** Decisions for one request, each made once. */
export class Questions {
  readonly #attributes: AdmissionAttributes;
  readonly #decisions = new Map<string, Decision>();

  constructor(attributes: AdmissionAttributes) {
    this.#attributes = attributes;
  }

  /** Values of `authorizer` and `authorizer.requestResource`. */
  values() {
    const { kind, subresource, namespace, name } = this.#attributes;
    const authorizer = new AuthorizerValue((question) => this.#ask(question));
    const own = { group: kind.group, resource: kind.resource, subresource, namespace, name };
    return { authorizer, 'authorizer.requestResource': new ResourceCheckValue(authorizer, own) };
  }

  #ask(question: AccessQuestion): Decision {
    const key = JSON.stringify(question);
    const decided = this.#decisions.get(key);
    if (decided) return decided;
    throw new Unanswered(this.#answer(key, question));
  }

  async #answer(key: string, question: AccessQuestion): Promise<void> {
    const { server, user } = this.#attributes;
    const { serviceAccount } = question;
    const asking = serviceAccount ? serviceAccountUser(serviceAccount) : user;
    try {
      const { decision, reason = '' } = await decide(
        server.authorizers,
        await attributesOf(question, asking, server.clock),
      );
      this.#decisions.set(key, { allowed: decision === 'allow', reason });
    } catch (error) {
      this.#decisions.set(key, { allowed: false, reason: '', error: (error as Error).message });
    }
  }
}

const serviceAccountUser = ({ namespace, name }: { namespace: string; name: string }): UserInfo => ({
  name: `system:serviceaccount:${namespace}:${name}`,
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
});

async function attributesOf(
  question: AccessQuestion,
  user: UserInfo,
  clock: Pick<Clock, 'monotonic'>,
): Promise<Attributes> {
  const { verb, path = '', group = '', resource = '', subresource = '', namespace = '', name = '' } = question;
  const { fieldSelector } = question;
  const isResource = question.path === undefined;
  const requirements = fieldSelector ? await fieldRequirements(fieldSelector, clock) : undefined;
  return {
    isResource,
    path,
    verb,
    group,
    version: isResource ? '*' : '',
    resource,
    subresource,
    namespace,
    name,
    rest: '',
    user,
    ...(requirements && { fieldSelector: requirements }),
  };
}
