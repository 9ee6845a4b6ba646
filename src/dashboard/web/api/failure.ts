// An unsuccessful response, with the message of the server's Status.

import { fieldsIn, isFields, listIn, textIn } from '../../../machinery/parsed.ts';

interface Cause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

export class Failure extends Error {
  override readonly name = 'Failure';
  /** 0: the server did not answer. */
  readonly code: number;
  readonly reason: string;
  readonly causes: readonly Cause[];

  constructor(code: number, reason: string, message: string, causes: readonly Cause[] = []) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.causes = causes;
  }

  static async of(response: Response): Promise<Failure> {
    const text = await response.text().catch(() => '');
    try {
      const parsed: unknown = JSON.parse(text);
      if (isFields(parsed)) return Failure.ofStatus(parsed, response.status);
    } catch {
      // no JSON: the text itself
    }
    return new Failure(response.status, '', text.slice(0, 500) || `the server answered ${response.status}`);
  }

  static ofStatus(status: object, code = 0): Failure {
    const fields = fieldsIn(status);
    const causes = listIn(fieldsIn(fields['details'])['causes']).map((cause) => ({
      reason: textIn(fieldsIn(cause)['reason']),
      message: textIn(fieldsIn(cause)['message']),
      field: textIn(fieldsIn(cause)['field']),
    }));
    return new Failure(Number(fields['code'] ?? code), textIn(fields['reason']), textIn(fields['message']), causes);
  }
}
