/** Questions to the services behind keyless signatures: JSON there and back, never redirected, secrets out of every message. */
import { WbuildError } from "../../native/error.ts";
import { parseJson } from "../oci/schema.ts";
import { Redactor } from "../transport/redact.ts";
import { type HttpRequest, isLoopback, openHttp, readAll } from "../transport/request.ts";

const maxAnswerBytes = 4 * 1024 * 1024;

export interface Service {
  /** Base URL. */
  readonly url: string;
  readonly userAgent: string;
  readonly signal?: AbortSignal;
}

/** Posts JSON and gives the object that is answered. Throws REG_SIGN_SERVICE, REG_INSECURE. */
export async function ask(
  { url: base, userAgent, signal }: Service,
  path: string,
  question: object,
  secret?: string,
): Promise<object> {
  const url = urlOf(base, path);
  const redactor = new Redactor();
  redactor.learn(secret);
  const fail = (why: string, cause?: unknown) =>
    new WbuildError("REG_SIGN_SERVICE", redactor.clean(`${url.origin}${url.pathname} ${why}`, 400), {
      facts: { url: `${url.origin}${url.pathname}` },
      ...(cause === undefined ? {} : { cause }),
    });
  const http = openHttp({ userAgent });
  try {
    const request: HttpRequest = {
      method: "POST",
      url,
      headers: { "content-type": "application/json", accept: "application/json" },
      body: Buffer.from(JSON.stringify(question)),
      signal,
    };
    const { status, body } = await http.send(request).catch((cause: unknown) => {
      // Undici's messages may quote what was sent; its codes do not.
      const code = (cause as { code?: unknown }).code;
      throw fail(`cannot be reached${typeof code === "string" ? ` (${code})` : ""}`);
    });
    const bytes = await readAll(body, maxAnswerBytes);
    if (bytes === undefined) throw fail(`answered more than ${maxAnswerBytes} bytes`);
    if (status < 200 || status > 299) throw fail(`refused (${status}): ${bytes.subarray(0, 2000).toString("utf8")}`);
    return parseJson(bytes, maxAnswerBytes, "REG_SIGN_SERVICE", `the answer of ${url.origin}`);
  } finally {
    await http.close();
  }
}

/** Attack: a token that travels readable is whoever's reads it. */
function urlOf(base: string, path: string): URL {
  let url: URL;
  try {
    url = new URL(base);
  } catch {
    throw new WbuildError("REG_SIGN_SERVICE", "the address of a signing service is not a URL");
  }
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url.hostname)))
    throw new WbuildError("REG_INSECURE", `signing services are asked over https alone, not at ${url.origin}`);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}${path}`;
  url.search = "";
  url.hash = "";
  return url;
}
