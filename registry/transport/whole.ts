/** An answer with its whole body: a body that breaks off is a failed attempt like any other, and is asked for again. */
import { brokenError } from "./complaint.ts";
import { readAll } from "./request.ts";
import { withRetry } from "./retry.ts";
import type { Ask, Session } from "./session.ts";

export interface WholeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined when it has more bytes than the limit. */
  readonly body: Buffer | undefined;
}

/** For requests whose repetition changes nothing. Throws what Session.send throws. */
export async function askWhole(session: Session, ask: Omit<Ask, "isIdempotent">, limit: number): Promise<WholeAnswer> {
  const { retry, signal, redactor, http } = session.options;
  return withRetry(retry, signal, async () => {
    const { status, headers, body } = await session.send({ ...ask, isIdempotent: false });
    try {
      return { status, headers, body: await readAll(body, limit, http.timeoutMs) };
    } catch (error) {
      signal?.throwIfAborted();
      throw brokenError(session.operation(ask.operation), error, redactor);
    }
  });
}
