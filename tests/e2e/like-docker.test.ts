/** Steps whose results were compared with BuildKit's: what stays in the image after RUN and COPY between stages. */
import test from "ava";
import { scene } from "./scene.ts";

const linux = "FROM wbuild.local/linux";

const rows: [name: string, dockerfile: string[], look: string, sees: string][] = [
  [
    "hard links that a RUN makes stay so across stages",
    [`${linux} AS a`, "RUN mkdir /d && echo 1 > /d/a && ln /d/a /d/b", linux, "COPY --from=a --chown=5:6 /d /e"],
    "stat -c '%h %u:%g' /e/a; test /e/a -ef /e/b && echo same",
    "2 5:6\nsame\n",
  ],
  [
    "a folder replaced by an empty one hides what was below, also from COPY --from",
    [
      `${linux} AS a`,
      "RUN mkdir -p /x/d && touch /x/a /x/d/b",
      "RUN rm -rf /x && mkdir -p /x/d && touch /x/d/c",
      linux,
      "COPY --from=a /x /y",
    ],
    "find /y | sort",
    "/y\n/y/d\n/y/d/c\n",
  ],
  [
    "a folder becomes a file, a file a folder, and a link takes the place of each",
    [
      linux,
      "RUN mkdir -p /x/d /x/e && touch /x/d/b /x/f",
      "RUN rm -r /x/d /x/f /x/e && touch /x/d && mkdir /x/f && ln -s f /x/e",
    ],
    "cd /x; stat -c '%n %F' *",
    "d regular empty file\ne symbolic link\nf directory\n",
  ],
  [
    "a change of mode or owner alone is in the image",
    [linux, "RUN mkdir /d && touch /d/f", "RUN chmod 1777 /d && chown 5:6 /d/f"],
    "stat -c '%a %u:%g' /d /d/f",
    "1777 0:0\n644 5:6\n",
  ],
  [
    "what a step writes to /etc/hosts and resolv.conf is forgotten",
    [
      linux,
      "RUN cp /etc/hosts /before; echo 10.9.8.7 marked >> /etc/hosts; echo marked >> /etc/resolv.conf",
      "RUN cat /etc/hosts /etc/resolv.conf > /seen",
    ],
    "grep -c marked /seen || true",
    "0\n",
  ],
  [
    "mounts: modes and owners as a step sees them",
    [
      linux,
      "RUN --mount=target=/src,rw --mount=type=tmpfs,target=/opt/deep/t --mount=type=cache,target=/var/cache/x,mode=0700,uid=5,gid=6 \\",
      "    stat -c '%n %a %u:%g' /src /src/Dockerfile /opt/deep/t /var/cache/x > /seen",
      "RUN --mount=type=cache,target=/var/cache/x stat -c '%a %u:%g' /var/cache/x >> /seen",
    ],
    "cat /seen",
    "/src 755 0:0\n/src/Dockerfile 644 0:0\n/opt/deep/t 1777 0:0\n/var/cache/x 700 5:6\n755 0:0\n",
  ],
  [
    "WORKDIR belongs to USER, with every folder made for it",
    [linux, "USER www-data", "WORKDIR /p/q", "RUN id -un > who && touch mine"],
    "stat -c '%U:%G' /p /p/q /p/q/mine; cat /p/q/who",
    "www-data:www-data\nwww-data:www-data\nwww-data:www-data\nwww-data\n",
  ],
  [
    "groups come from the image's own files",
    [
      linux,
      "RUN echo 'me:x:500:600:Me:/home/me:/bin/sh' >> /etc/passwd && printf 'g:x:701:me\\nh:x:702:you\\n' >> /etc/group",
      "USER me",
      "RUN id -G > /tmp/a; echo $HOME >> /tmp/a",
      "USER me:h",
      "RUN id -G > /tmp/b",
      "USER 500:600",
      "RUN id -G > /tmp/c",
    ],
    "cat /tmp/a /tmp/b /tmp/c",
    "600 701\n/home/me\n702\n600\n",
  ],
  [
    "a folder of a stage brings its modes to folders that are there, but not to the target",
    [
      `${linux} AS a`,
      "RUN mkdir -p -m 700 /d/s && chmod 750 /d",
      linux,
      "RUN mkdir -p /t/s && chmod 2775 /t && chown 5:6 /t/s",
      "COPY --from=a /d /t",
    ],
    "stat -c '%a %u:%g' /t /t/s",
    "2775 0:0\n700 0:0\n",
  ],
];

for (const [name, dockerfile, look, sees] of rows) {
  test(name, async (t) => {
    const s = await scene(t);
    const context = await s.files("context", { Dockerfile: `${dockerfile.join("\n")}\n` });
    const built = await s.build(context, "-t", "app");
    t.is(built.code, 0, built.stderr);
    t.is(await s.run("-u", "0", "app", "sh", "-c", look), sees);
  });
}

test("proxies reach a step in both spellings and nothing of the image", async (t) => {
  const s = await scene(t);
  const context = await s.files("context", {
    Dockerfile: `${linux}\nRUN env | grep -ic 'http_proxy=.*proxy.test' > /count\n`,
  });
  const built = await s.build(context, "-t", "app", "--build-arg", "HTTP_PROXY=http://user:hidden@proxy.test");
  t.is(built.code, 0, built.stderr);
  t.is(await s.run("app", "sh", "-c", "cat /count; env | grep -ic proxy || true"), "2\n0\n");
});
