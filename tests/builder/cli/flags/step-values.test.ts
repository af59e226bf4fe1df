/** What --secret, --ssh and --allow take, and what they mean. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { hiddenParts, parseAllow, parseSsh, readSecret } from "../../../../builder/cli/flags/step-values.ts";
import { isWbuildError } from "../../../../native/error.ts";

const folder = mkdtempSync(join(tmpdir(), "wbuild-values-"));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, "file"), "of the file");
writeFileSync(join(folder, "named"), "named like it");
writeFileSync(join(folder, "a,b"), "comma");
writeFileSync(join(folder, "big"), Buffer.alloc(500 * 1024 + 1));
writeFileSync(join(folder, "largest"), Buffer.alloc(500 * 1024, "x"));
mkdirSync(join(folder, "folder"));
const env = { TOKEN: "of the variable", EMPTY: "", named2: "by its own name" };

for (const [text, id, value] of [
  ["id=x,src=file", "x", "of the file"],
  ["id=x,source=file", "x", "of the file"],
  ["type=file,id=x,src=file", "x", "of the file"],
  ["id=x,env=TOKEN", "x", "of the variable"],
  ["id=x,type=env,env=TOKEN", "x", "of the variable"],
  ["id=x,type=env,src=TOKEN", "x", "of the variable"],
  ["id=TOKEN", "TOKEN", "of the variable"],
  ["id=TOKEN,type=env", "TOKEN", "of the variable"],
  ["id=named", "named", "named like it"],
  ["id=named,type=file", "named", "named like it"],
  ["id=EMPTY", "EMPTY", ""],
  ['id=x,"src=a,b"', "x", "comma"],
  ["ID=x,SRC=file", "x", "of the file"],
] as const) {
  test(`--secret ${text}`, async (t) => {
    const [found, bytes] = (await readSecret(text, env, folder)) ?? [];
    t.deepEqual([found, Buffer.from(bytes ?? []).toString()], [id, value]);
  });
}

test("--secret: a variable that is not set is no secret; the largest file is one", async (t) => {
  t.is(await readSecret("id=x,env=NOWHERE", env, folder), undefined);
  t.is((await readSecret("id=x,src=largest", env, folder))?.[1].length, 500 * 1024);
});

for (const text of [
  "src=file",
  "id=,src=file",
  "x",
  "id=x,src=nothing",
  "id=x,src=folder",
  "id=x,src=big",
  "id=x,type=pipe,src=file",
  "id=x,colour=red",
  "id=x,src=file,env=TOKEN",
  "",
]) {
  test(`--secret ${text || "(nothing)"} is refused`, async (t) => {
    const error = await t.throwsAsync(readSecret(text, env, folder));
    t.true(isWbuildError(error, "CLI_VALUE"), String(error));
  });
}

test("what is hidden of a secret: all of it and its long lines, never a letter or two", (t) => {
  t.deepEqual(hiddenParts(Buffer.from("token-1234\n")), ["token-1234\n"]);
  t.deepEqual(hiddenParts(Buffer.from("ab\n")), []);
  t.deepEqual(hiddenParts(Buffer.from("first long line\r\nshort\n  second long line \n")).slice(1), [
    "first long line",
    "second long line",
  ]);
});

test("--ssh: an agent or keys, relative to the working folder or the home", async (t) => {
  const socket = join(folder, "socket");
  const server = createServer().listen(socket);
  t.teardown(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  execFileSync("touch", [join(folder, "key1"), join(folder, "key2")]);
  const parse = (text: string, sock = socket) => parseSsh(text, { SSH_AUTH_SOCK: sock, HOME: folder }, folder);
  const keys = (...names: string[]) => ({ kind: "keys", paths: names.map((name) => join(folder, name)) });
  t.deepEqual(parse("default"), ["default", { kind: "socket", path: socket }]);
  t.deepEqual(parse("me"), ["me", { kind: "socket", path: socket }]);
  t.deepEqual(parse("me=socket", ""), ["me", { kind: "socket", path: socket }]);
  t.deepEqual(parse("me=key1"), ["me", keys("key1")] as never);
  t.deepEqual(parse("me=key1,~/key2"), ["me", keys("key1", "key2")] as never);
  for (const text of ["me=nothing", "me=socket,key1", "=x"])
    t.true(
      isWbuildError(
        t.throws(() => parse(text)),
        "CLI_VALUE",
      ),
      text,
    );
  t.true(
    isWbuildError(
      t.throws(() => parse("default", "")),
      "CLI_VALUE",
    ),
  );
});

test("--allow", (t) => {
  t.deepEqual(parseAllow(["network.host,security.insecure"]), { networkHost: true, insecure: true });
  t.deepEqual(parseAllow(["device=a.com/b=c", "device=a.com/d"]), { devices: ["a.com/b=c", "a.com/d"] });
  t.deepEqual(parseAllow(["device=a.com/b", "device"]), { devices: true });
  for (const text of ["network", "", "fs.read=/", "device="])
    t.true(
      isWbuildError(
        t.throws(() => parseAllow([text])),
        "CLI_VALUE",
      ),
      text,
    );
});
