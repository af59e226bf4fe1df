/** What is told of a connection that could not be made, and what to do about it. */
import test from "ava";
import type { WbuildError } from "../../native/error.ts";
import { brokenError } from "../../registry/transport/complaint.ts";
import { Redactor } from "../../registry/transport/redact.ts";

const broken: [errno: string, code: string, message: RegExp, hint: RegExp][] = [
  [
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "REG_TLS",
    /at reg\.test:5000\/team\/app: its certificate is self-signed$/,
    /certs\.d\/reg\.test:5000\/ca\.crt/,
  ],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "REG_TLS", /from an unknown authority$/, /certs\.d\/reg\.test:5000\/ca\.crt/],
  ["EPROTO", "REG_TLS", /it does not speak TLS$/, /--plain-http/],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "REG_TLS", /it does not speak TLS$/, /--plain-http/],
  ["CERT_HAS_EXPIRED", "REG_TLS", /has expired$/, /renew/],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "REG_TLS", /for another name$/, /the name that the certificate is for/],
  ["ENOTFOUND", "REG_UNREACHABLE", /there is no host of that name$/, /the registry's name, the network/],
  ["ETIMEDOUT", "REG_TIMEOUT", /cannot list tags/, /the network/],
];
for (const [errno, code, message, hint] of broken)
  test(`${errno}: ${code}, with what to do`, (t) => {
    const operation = { registry: "reg.test:5000", repository: "team/app", doing: "list tags" };
    const cause = Object.assign(new Error("x"), { code: errno });
    const error: WbuildError = brokenError(operation, new Error("fetch failed", { cause }), new Redactor());
    t.is(error.code, code as WbuildError["code"]);
    t.regex(error.message, message);
    t.regex(error.hint ?? "", hint);
  });
