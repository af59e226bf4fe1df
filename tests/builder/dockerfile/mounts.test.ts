/** What `RUN --mount` and `--device` ask for: every option, BuildKit's defaults, and what is refused, with its place. */
import test from "ava";
import type { Word } from "../../../builder/dockerfile/instruction.ts";
import { readDevice } from "../../../builder/dockerfile/read-device.ts";
import { mountFrom, readMount, readMounts } from "../../../builder/dockerfile/read-mount.ts";
import { isWbuildError } from "../../../native/error.ts";

const source = { name: "Dockerfile", text: "" };
/** At line 2, column 13, as `RUN --mount=…` has it. */
const wordOf = (text: string): Word => ({
  text,
  span: { start: { line: 2, column: 13 }, end: { line: 2, column: 13 + text.length } },
});
const lookup = (name: string) => ({ D: "/d", N: "a b", T: "tmpfs", M: "0700", E: "" })[name];
const read = (text: string, os?: string) =>
  readMount(wordOf(text), lookup, "\\", source, os === undefined ? {} : { os });

/* biome-ignore-start lint/suspicious/noTemplateCurlyInString: these are Dockerfile words. */
const good: [text: string, expected: object][] = [
  ["target=/a", { type: "bind", source: "", target: "/a", readonly: true }],
  ["type=bind,target=/a,source=b/c", { type: "bind", source: "b/c", target: "/a", readonly: true }],
  ["TYPE=Bind,SRC=b,Dst=a", { type: "bind", source: "b", target: "a", readonly: true }],
  ["destination=/a,rw", { type: "bind", source: "", target: "/a", readonly: false }],
  ["target=/a,readwrite=false", { type: "bind", source: "", target: "/a", readonly: true }],
  ["target=/a,rw=T,ro=0", { type: "bind", source: "", target: "/a", readonly: false }],
  ["target=/a,rw,readonly", { type: "bind", source: "", target: "/a", readonly: true }],
  ["type=bind", { type: "bind", source: "", target: "", readonly: true }],
  ["target=/a,target=/b", { type: "bind", source: "", target: "/b", readonly: true }],
  ["target=$D/x,source=${N}", { type: "bind", source: "a b", target: "/d/x", readonly: true }],
  ['"target=/a,b",type=bind', { type: "bind", source: "", target: "/a,b", readonly: true }],
  ['"target=/a ""b"""', { type: "bind", source: "", target: "/a b", readonly: true }],
  ["type=$T,target=/t,size=64m", { type: "tmpfs", target: "/t", sizeBytes: 64 << 20 }],
  ["type=tmpfs,target=/t,size=1.5GiB", { type: "tmpfs", target: "/t", sizeBytes: 1.5 * 2 ** 30 }],
  ["type=tmpfs,target=/t,size=512 kb", { type: "tmpfs", target: "/t", sizeBytes: 512 << 10 }],
  ["type=tmpfs,target=/t,size=100", { type: "tmpfs", target: "/t", sizeBytes: 100 }],
  ["type=tmpfs,target=/t,from=x,source=y,id=z,env=e", { type: "tmpfs", target: "/t" }],
  ["type=cache,target=/c/", { type: "cache", id: "/c", target: "/c/", sharing: "shared", readonly: false, source: "" }],
  [
    "type=cache,id=$N,target=c,sharing=LOCKED,ro,mode=$M,uid=7,gid=8,source=s",
    {
      ...{ type: "cache", id: "a b", target: "c", sharing: "locked", readonly: true },
      ...{ source: "s", mode: 0o700, uid: 7, gid: 8 },
    },
  ],
  [
    "type=secret,id=a/b.txt",
    { type: "secret", id: "a/b.txt", target: "/run/secrets/b.txt", required: false, mode: 0o400, uid: 0, gid: 0 },
  ],
  [
    "type=secret,target=/etc/key,required,mode=0440,uid=1,gid=2",
    { type: "secret", id: "key", target: "/etc/key", required: true, mode: 0o440, uid: 1, gid: 2 },
  ],
  [
    "type=secret,src=a,env=TOKEN",
    { type: "secret", id: "a", env: "TOKEN", required: false, mode: 0o400, uid: 0, gid: 0 },
  ],
  [
    "type=secret,id=a,env=TOKEN,target=/t",
    { type: "secret", id: "a", env: "TOKEN", target: "/t", required: false, mode: 0o400, uid: 0, gid: 0 },
  ],
  [
    "required=true,type=ssh",
    { type: "ssh", id: "default", target: "/run/buildkit/ssh_agent.0", required: true, mode: 0o600, uid: 0, gid: 0 },
  ],
  [
    "type=ssh,id=x,target=/s,uid=1",
    { type: "ssh", id: "x", target: "/s", required: false, mode: 0o600, uid: 1, gid: 0 },
  ],
];
for (const [text, expected] of good) {
  test(`mount ${text}`, (t) => {
    const { word, ...mount } = read(text);
    t.is(word.text, text);
    t.deepEqual<object, object>(mount, expected);
  });
}

const bad: [text: string, message: RegExp, column: number, code?: string][] = [
  ["", /needs a value/, 13, "DF_FLAG_VALUE"],
  ['"target=/a', /not closed/, 13, "DF_FLAG_VALUE"],
  ['target=/a"b', /inside a field/, 13, "DF_FLAG_VALUE"],
  ['"target=/a"b', /not closed/, 13, "DF_FLAG_VALUE"],
  ["type=volume,target=/a", /has no type "volume"/, 13],
  ["target=/a,tpye=bind", /no option "tpye"/, 23],
  ["target=/a,", /no option ""/, 23],
  ["target", /needs a value behind target=/, 13],
  ["target=/a,ro=maybe", /no valid readonly/, 23],
  ["target=/a,required", /bind takes no required/, 23],
  ["target=/a,mode=0700", /bind takes no mode/, 23],
  ["target=/a,sharing=shared", /bind takes no sharing/, 23],
  ["type=tmpfs,target=/a,uid=1", /tmpfs takes no uid/, 34],
  ["type=tmpfs,target=/a,size=a", /no valid size: "a"/, 34],
  ["type=tmpfs,target=/a,size=-1", /no valid size/, 34],
  ["type=tmpfs,target=/a,size=9999999p", /no valid size/, 34],
  ["type=cache,target=/a,size=1", /cache takes no size/, 34],
  ["type=cache,target=/a,sharing=lock", /has no sharing "lock"/, 34],
  ["type=cache,target=/a,mode=0o755", /no valid mode/, 34],
  ["type=cache,target=/a,mode=10000", /no valid mode/, 34],
  ["type=cache,target=/a,uid=4294967296", /no valid uid/, 34],
  ["type=cache,target=/a,gid=-1", /no valid gid/, 34],
  ["type=secret", /an id or a target/, 13],
  ["type=secret,id=a,source=b", /both id and source/, 30],
  ["type=secret,id=a,from=b", /secret takes no from/, 30],
  ["type=secret,id=a,sharing=shared", /secret takes no sharing/, 30],
  ["type=ssh,source=a", /ssh takes no source/, 22],
  ["from=$x,target=/a", /cannot hold a variable/, 18, "DF_FROM_VARIABLE"],
  ["target=${D", /not closed/, 20, "DF_EXPANSION"],
];
/* biome-ignore-end lint/suspicious/noTemplateCurlyInString: back to TypeScript. */
for (const [text, message, column, code = "DF_MOUNT"] of bad) {
  test(`mount refused: ${text}`, (t) => {
    const error = t.throws(() => read(text), { message });
    t.true(isWbuildError(error, code as never), String(error));
    t.like(error, { facts: { span: { start: { line: 2, column } } } });
  });
}

test("a near option is proposed", (t) => {
  const error = t.throws(() => read("tagret=/a"));
  t.is(isWbuildError(error) && error.hint, "did you mean target?");
  const type = t.throws(() => read("type=chache,target=/a"));
  t.is(isWbuildError(type) && type.hint, "did you mean cache?");
});

test("from is taken as it is, the last one counts, and an empty one is none", (t) => {
  const from = (text: string) => mountFrom(wordOf(text), source)?.text;
  t.deepEqual(["target=/a", "from=a", "FROM=a,from=b", "from=", "from=a$"].map(from), [
    undefined,
    "a",
    "b",
    undefined,
    "a$",
  ]);
  t.like(read("from=b,target=/a"), { type: "bind", from: { text: "b", span: { start: { line: 2, column: 18 } } } });
});

test("a secret of Windows says where it is to be", (t) => {
  t.like(read("type=secret,id=a,target=C:/s/a", "windows"), { target: "C:/s/a" });
  t.like(read("type=secret,id=a,env=A", "windows"), { env: "A" });
  t.throws(() => read("type=secret,id=a", "windows"), { message: /needs a target on Windows/ });
});

test("the sockets of several ssh mounts have names of their own", (t) => {
  const words = ["type=ssh", "target=/a", "type=ssh,id=b", "type=ssh,target=/x"].map(wordOf);
  t.deepEqual(
    readMounts(words, lookup, "\\", source).flatMap((mount) =>
      mount.type === "ssh" ? [[mount.id, mount.target]] : [],
    ),
    [
      ["default", "/run/buildkit/ssh_agent.0"],
      ["b", "/run/buildkit/ssh_agent.1"],
      ["default", "/x"],
    ],
  );
});

test("where a value has quotes, the whole flag is the place", (t) => {
  const word: Word = {
    ...wordOf("target=/a,nope=1"),
    span: { start: { line: 2, column: 13 }, end: { line: 3, column: 4 } },
  };
  const error = t.throws(() => readMount(word, lookup, "\\", source));
  t.like(error, { facts: { span: word.span } });
});

const devices: [text: string, name: string, required: boolean][] = [
  ["vendor.com/class=card0", "vendor.com/class=card0", false],
  ["vendor.com/class", "vendor.com/class", false],
  ["vendor.com/class=card0,required", "vendor.com/class=card0", true],
  ["name=x,required=false", "x", false],
  ["required,name=x", "x", true],
  ["required", "", true],
];
for (const [text, name, required] of devices) {
  test(`device ${text}`, (t) => t.like(readDevice(wordOf(text), source), { name, required }));
}
for (const text of ["", "name=a,name=b", "a,b", "a,mode=1", "a,required=x"]) {
  test(`device refused: ${text}`, (t) => {
    t.true(
      isWbuildError(
        t.throws(() => readDevice(wordOf(text), source)),
        "DF_FLAG_VALUE",
      ),
    );
  });
}
