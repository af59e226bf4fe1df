/** The small parts of the transport: challenges, repetition, redaction. */
import test from "ava";
import { WbuildError } from "../../native/error.ts";
import { sideBySide } from "../../registry/side-by-side.ts";
import { parseChallenges } from "../../registry/transport/challenge.ts";
import { Home } from "../../registry/transport/home.ts";
import { Redactor } from "../../registry/transport/redact.ts";
import { isLoopback } from "../../registry/transport/request.ts";
import { defaultRetry, delayBefore, parseRetryAfter } from "../../registry/transport/retry.ts";

const challenges: [header: string, expected: [string, Record<string, string>][]][] = [
  ['Bearer realm="https://a/t",service="s"', [["bearer", { realm: "https://a/t", service: "s" }]]],
  [
    'Bearer realm="https://a/t",scope="repository:a/b:pull,push"',
    [["bearer", { realm: "https://a/t", scope: "repository:a/b:pull,push" }]],
  ],
  ['BASIC realm="x y"', [["basic", { realm: "x y" }]]],
  ["Basic", [["basic", {}]]],
  [
    'Basic realm="x", Bearer realm="https://a/t",service="s"',
    [
      ["basic", { realm: "x" }],
      ["bearer", { realm: "https://a/t", service: "s" }],
    ],
  ],
  [
    "Negotiate, Basic realm=x",
    [
      ["negotiate", {}],
      ["basic", { realm: "x" }],
    ],
  ],
  ["Bearer realm=https://a/t,service=s", [["bearer", { realm: "https://a/t", service: "s" }]]],
  ['Bearer realm="unclosed', []],
  ["", []],
  [",,,", []],
  ["x".repeat(20_000), []],
];
for (const [header, expected] of challenges)
  test(`challenge ${header.slice(0, 70)}`, (t) => {
    t.deepEqual(
      parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]),
      expected,
    );
  });

test("what is worth repeating, and after how long", (t) => {
  const of = (facts: object) => new WbuildError("REG_UNAVAILABLE", "x", { facts: { ...facts } });
  const policy = { ...defaultRetry, baseMs: 100, capMs: 300, attempts: 4 };
  for (const status of [400, 401, 403, 404, 413]) t.is(delayBefore(2, of({ status }), policy), undefined);
  for (const [next, low, high] of [
    [2, 50, 100],
    [3, 100, 200],
    [4, 150, 300],
  ] as const) {
    const delay = delayBefore(next, of({ status: 503 }), policy) ?? -1;
    t.true(delay >= low && delay <= high, `${next}: ${delay}`);
  }
  t.is(delayBefore(5, of({ status: 503 }), policy), undefined);
  t.is(delayBefore(2, of({ status: 429, retryAfterMs: 1234 }), policy), 1234);
  t.is(delayBefore(2, of({ status: 429, retryAfterMs: 10 ** 9 }), policy), undefined);
  t.is(delayBefore(2, of({ errno: "ECONNREFUSED" }), policy), undefined);
  t.is(delayBefore(2, new Error("a bug"), policy), undefined);
  t.is(parseRetryAfter("7", 0), 7000);
  t.is(parseRetryAfter("Thu, 01 Jan 1970 00:00:10 GMT", 4000), 6000);
  t.is(parseRetryAfter("soon", 0), undefined);
});

test("the redactor knows what it learned in every usual form, the longest first", (t) => {
  const redactor = new Redactor();
  redactor.learn("hunter2!");
  redactor.learn("hunter2!-longer");
  redactor.learn("abc");
  const text = `hunter2! hunter2!-longer ${encodeURIComponent("hunter2!")} ${Buffer.from("hunter2!").toString("base64")} abc`;
  t.is(redactor.clean(text), "… … … … abc");
  t.is(redactor.clean("GET https://u:p@h/x?sig=1 failed"), "GET https://h/x?… failed");
  t.is(redactor.clean("a\u001b]0;x\u0007b\nc"), "a ]0;x b c");
  t.is(redactor.clean("x".repeat(400)).length, 301);
});

test("loopback is exact: a global address that ends in ::1 is none", (t) => {
  for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"]) t.true(isLoopback(host), host);
  for (const host of ["[2001:db8::1]", "localhost.evil.test", "127.0.0.1.evil.test", "128.0.0.1"])
    t.false(isLoopback(host), host);
});

test("side by side: never more than asked at a time, and the first failure ends the rest", async (t) => {
  let running = 0;
  let most = 0;
  const done: number[] = [];
  await sideBySide([1, 2, 3, 4, 5], 2, undefined, async (item) => {
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running--;
    done.push(item);
  });
  t.is(most, 2);
  t.deepEqual(done.sort(), [1, 2, 3, 4, 5]);
  const started: number[] = [];
  const failing = sideBySide([1, 2, 3, 4], 2, undefined, async (item, signal) => {
    started.push(item);
    if (item === 1) throw new Error("first");
    await new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("ended"))));
  });
  await t.throwsAsync(failing, { message: "first" });
  t.deepEqual(started, [1, 2]);
});

const places: [registry: string, plainHttp: string[], url: string][] = [
  ["docker.io", [], "https://registry-1.docker.io/"],
  ["docker.io", ["docker.io"], "https://registry-1.docker.io/"],
  ["registry.example.org:5000", [], "https://registry.example.org:5000/"],
  ["registry.example.org:5000", ["registry.example.org:5000"], "http://registry.example.org:5000/"],
  ["[2001:db8::1]:5000", [], "https://[2001:db8::1]:5000/"],
  ["127.0.0.1.example.org", [], "https://127.0.0.1.example.org/"],
];
for (const [registry, plainHttp, url] of places)
  test(`where ${registry} is${plainHttp.length > 0 ? ", plain http asked for" : ""}`, async (t) => {
    const home = new Home({
      registry,
      plainHttp,
      http: { timeoutMs: 1000, send: () => Promise.reject(new Error("nobody is asked")), close: async () => {} },
      redactor: new Redactor(),
      signal: undefined,
      warn() {},
    });
    t.is((await home.base()).href, url);
  });
