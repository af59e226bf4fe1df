/** Here-documents from end to end: scripts, files that say what runs them, documents for a command, files of COPY and ADD. */
import test from "ava";
import { scene } from "./scene.ts";
import { printed, windows, windowsScene } from "./windows-scene.ts";

const linux = String.raw`FROM wbuild.local/linux
ARG name=world
RUN <<EOF
# a comment for the shell
x="two  words"
echo "$x" \
  >> /out
echo "$name" >> /out
EOF
RUN <<-EOF
	cat >> /out <<-END
		tabs $name
	END
EOF
RUN <<script
#!/bin/sh -eu
echo "$0" >> /out
test -x /dev/pipes/script
script
RUN cat <<'A' 3<<-B - /dev/fd/3 >> /out
'$name'
A
	third $name
	B
SHELL ["/bin/sh", "-ec"]
RUN <<EOF
echo with -e >> /out
EOF
COPY <<EOF <<'raw.txt' /etc/both/
"$name" '\$name' \\ \a $\{
EOF
"$name" '\$name'
raw.txt
COPY --chmod=750 --chown=7:8 <<-EOF /etc/one
	#!/bin/sh
		echo one
EOF
ADD <<x /etc/
plain
x
RUN <<EOF
cat /etc/both/EOF /etc/both/raw.txt /etc/x >> /out
stat -c '%a %u %g' /etc/one /etc/x >> /out
/etc/one >> /out
EOF
`;

test("scripts, documents and files of a Linux image", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", { Dockerfile: linux });
  const built = await s.build(context, "-t", "app");
  t.is(built.code, 0, built.stderr);
  t.deepEqual((await s.run("app", "cat", "/out")).trimEnd().split("\n"), [
    "two  words",
    "world",
    "tabs world",
    "/dev/pipes/script",
    "'$name'",
    "third world",
    "with -e",
    // A backslash takes the meaning of what follows it, and quotes have none.
    `"world" '$name' \\ a \${`,
    `"$name" '\\$name'`,
    "plain",
    "750 7 8",
    "644 0 0",
    "one",
  ]);
  t.is(await s.run("app", "sh", "-c", "ls /dev/pipes 2>/dev/null | wc -l"), "0\n", "no layer holds a script");
  const again = await s.build(context, "-t", "app");
  t.false([...again.steps.values()].includes("DONE"), again.stderr);
  const history = await s.wbuild("history", "--dockerfile", "app");
  t.regex(history.stdout, /^RUN <<EOF\n# a comment for the shell\nx="two {2}words"\n/m);
  t.regex(history.stdout, /^RUN cat <<'A' 3<<-B - \/dev\/fd\/3 >> \/out\n'\$name'\nA\n\tthird \$name\nB$/m);
});

test("a changed document is another step, and its failure shows where it is", async (t) => {
  const s = await scene(t);
  const of = (line: string) => `FROM wbuild.local/linux\nCOPY <<EOF /a\n${line}\nEOF\nRUN <<EOF\ncat /a\nexit 3\nEOF\n`;
  for (const line of ["first", "second"]) {
    const failed = await s.build(await s.files(line, { Dockerfile: of(line) }));
    t.is(failed.code, 1);
    t.regex(failed.stderr, new RegExp(`^#.* ${line}$`, "m"));
    t.regex(failed.stderr, /exit code 3/);
    t.regex(failed.stderr, /Dockerfile:5:1/);
  }
});

const names: [line: string, end: string][] = [
  ["COPY <<../../etc/x /y", "../../etc/x"],
  ['COPY <<".." /y', ".."],
  ["RUN <<a/b", "a/b"],
];
test("a document is a file of its own, in no other folder", async (t) => {
  const s = await scene(t);
  for (const [line, end] of names) {
    const dockerfile = `FROM wbuild.local/linux\n${line}\n#!/bin/sh\n${end}\n`;
    const refused = await s.build(await s.files("context", { Dockerfile: dockerfile }));
    t.is(refused.code, 2, refused.stderr);
    t.regex(refused.stderr, /DF_HEREDOC_NAME[\s\S]*Dockerfile:2:\d/);
  }
});

windows("scripts for cmd are batch files, and COPY brings files", async (t) => {
  const s = await windowsScene(t, ["probe"]);
  const lines = String.raw`ARG name=world
RUN <<EOF
set x=%name%
if "%x%"=="world" (
  echo in a block
)
for %%i in (a b) do echo %%i
goto end
echo not here
:end
rem one more
echo %x%& echo %CD%
C:\t\probe.exe arguments "c d"
EOF
RUN <<EOF
echo alone
EOF
COPY <<EOF <<'raw.txt' C:\both\
"$name"
EOF
"$name"
raw.txt
RUN type C:\both\EOF && type C:\both\raw.txt
RUN if exist C:\Windows\Temp\run.cmd echo left behind`;
  t.deepEqual(printed(await s.steps(lines)), [
    ...["in a block", "a", "b", "world", "C:\\"],
    String.raw`line=C:\t\probe.exe arguments "c d"`,
    "argument=c d",
    "alone",
    '"world"',
    '"$name"',
  ]);
  const failed = await s.tries("RUN <<EOF\necho ü\nexit /b 7\nEOF");
  t.regex(failed.stderr, /warning.* cmd cannot read "ü" in a script of several lines/i);
  t.is(failed.code, 1);
  t.regex(failed.stderr, /exit code 7/);
});
