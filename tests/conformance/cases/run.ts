import { type CaseTable, linux, scratch } from "../case.ts";

const secrets = new Map([["token", Buffer.from("hush")]]);

export const runCases: CaseTable = {
  about: "RUN",
  cases: [
    {
      name: "a line",
      runs: true,
      file: [linux, "RUN echo hello > /x"],
      tree: ['644 0:0 file x = "hello\\n"'],
      history: ["RUN /bin/sh -c echo hello > /x # buildkit"],
    },
    {
      name: "JSON",
      runs: true,
      file: [linux, 'RUN ["touch", "/a b"]'],
      tree: ["644 0:0 file a b"],
      history: ["RUN touch /a b # buildkit"],
    },
    {
      name: "a line over several",
      runs: true,
      file: [linux, "RUN echo 1 > /x && \\", "    # comment", "    echo 2 >> /x"],
      tree: ['644 0:0 file x = "1\\n2\\n"'],
    },
    {
      name: "the shell expands variables, also those of ARG",
      runs: true,
      file: [linux, "ARG A=1", "ENV B=2", "RUN echo $A$B > /x"],
      tree: ['644 0:0 file x = "12\\n"'],
    },
    {
      name: "the working folder",
      runs: true,
      file: [linux, "WORKDIR /w", "RUN pwd > here"],
      tree: ["755 0:0 dir w", '644 0:0 file w/here = "/w\\n"'],
    },
    {
      name: "what is removed is gone",
      runs: true,
      file: [linux, "COPY a.txt b.txt /d/", "RUN rm /d/a.txt"],
      tree: ["755 0:0 dir d", '644 0:0 file d/b.txt = "b\\n"'],
    },
    { name: "what the base had is gone", runs: true, file: [linux, "RUN rm /etc/group"], tree: ["- etc/group"] },
    {
      name: "owners, modes and links",
      runs: true,
      file: [
        linux,
        "RUN mkdir -m 700 /d && echo x > /d/f && chown 5:6 /d/f && chmod 4711 /d/f && ln -s f /d/l && ln /d/f /d/h",
      ],
      tree: ["700 0:0 dir d", '4711 5:6 file d/f = "x\\n"', "4711 5:6 hard d/h -> d/f", "777 0:0 link d/l -> f"],
    },
    { name: "a program that fails", runs: true, file: [linux, "RUN exit 3"], error: "STEP_EXIT" },
    { name: "a program that is not there", runs: true, file: [scratch, 'RUN ["/nothing"]'], error: "BOX_COMMAND" },
    { name: "nothing", file: [linux, "RUN"], error: "DF_MISSING_ARGUMENT" },
    { name: "an empty JSON array", file: [linux, "RUN []"], error: "DF_MISSING_ARGUMENT" },
    {
      name: "--network=none",
      runs: true,
      file: [linux, "RUN --network=none ls /sys/class/net > /x"],
      tree: ['644 0:0 file x = "lo\\n"'],
    },
    { name: "--network=default", runs: true, file: [linux, "RUN --network=default true"], tree: [] },
    { name: "--network=host is not given", file: [linux, "RUN --network=host true"], error: "DF_NOT_ALLOWED" },
    { name: "--network of another kind", file: [linux, "RUN --network=bridge true"], error: "DF_FLAG_VALUE" },
    { name: "--security=sandbox", runs: true, file: [linux, "RUN --security=sandbox true"], tree: [] },
    {
      name: "--security=insecure is not given",
      file: [linux, "RUN --security=insecure true"],
      error: "DF_NOT_ALLOWED",
    },
    { name: "--security of another kind", file: [linux, "RUN --security=some true"], error: "DF_FLAG_VALUE" },
    {
      name: "--device that this host does not have",
      file: [linux, "RUN --device=wbuild.invalid/gpu=0,required true"],
      request: { allow: { devices: true } },
      runs: true,
      error: "STEP_DEVICE",
    },
    { name: "--device is not given", file: [linux, "RUN --device=vendor.com/gpu=0 true"], error: "DF_NOT_ALLOWED" },
  ],
};

export const mountCases: CaseTable = {
  about: "RUN --mount",
  cases: [
    {
      name: "bind: the context, read only",
      runs: true,
      file: [linux, "RUN --mount=target=/m cat /m/a.txt > /x; touch /m/new 2> /dev/null || echo no >> /x"],
      tree: ['644 0:0 file x = "a\\nno\\n"'],
    },
    {
      name: "bind: a folder of the context",
      runs: true,
      file: [linux, "RUN --mount=type=bind,source=dir/sub,target=/tmp cat /tmp/three.txt > /x"],
      tree: ['644 0:0 file x = "3\\n"'],
    },
    {
      name: "bind: src and dst",
      runs: true,
      file: [linux, "RUN --mount=type=bind,src=a.txt,dst=/tmp/y cat /tmp/y > /x"],
      tree: ['644 0:0 file x = "a\\n"'],
    },
    {
      name: "bind: destination, and a stage",
      runs: true,
      file: [
        `${scratch} AS one`,
        "COPY dir /d",
        linux,
        "RUN --mount=from=one,source=/d,destination=/tmp cat /tmp/one.txt > /x",
      ],
      tree: ['644 0:0 file x = "1\\n"'],
    },
    {
      name: "bind: changes are forgotten",
      // Not the one that others use: a builder that does not forget would change it.
      context: { "a.txt": "a\n" },
      runs: true,
      file: [
        linux,
        "RUN --mount=target=/tmp,rw echo new > /tmp/a.txt; cat /tmp/a.txt > /x",
        "RUN --mount=target=/tmp,readwrite cat /tmp/a.txt >> /x",
      ],
      tree: ['644 0:0 file x = "new\\na\\n"'],
    },
    {
      name: "bind: ro and readonly say what is usual",
      runs: true,
      file: [
        linux,
        "RUN --mount=target=/tmp,ro touch /tmp/y 2> /dev/null || echo no > /x",
        "RUN --mount=target=/tmp,readonly=true touch /tmp/y 2> /dev/null || echo no >> /x",
      ],
      tree: ['644 0:0 file x = "no\\nno\\n"'],
    },
    {
      name: "bind: what is not there",
      runs: true,
      file: [linux, "RUN --mount=source=nothing,target=/tmp true"],
      error: "CTX_NO_SOURCE",
    },
    {
      name: "cache: kept from step to step, and in no layer",
      runs: true,
      file: [
        linux,
        "RUN --mount=type=cache,target=/tmp echo kept > /tmp/k",
        "RUN --mount=type=cache,target=/tmp cat /tmp/k > /x",
      ],
      tree: ['644 0:0 file x = "kept\\n"'],
    },
    {
      name: "cache: by its id",
      runs: true,
      file: [
        linux,
        "RUN --mount=type=cache,id=one,target=/tmp echo 1 > /tmp/k",
        "RUN --mount=type=cache,id=two,target=/tmp ls /tmp > /x",
        "RUN --mount=type=cache,id=one,target=/mnt,sharing=locked cat /mnt/k >> /x",
      ],
      tree: ['644 0:0 file x = "1\\n"'],
    },
    {
      name: "cache: mode, uid and gid",
      runs: true,
      file: [linux, "RUN --mount=type=cache,id=modes,target=/tmp,mode=0711,uid=5,gid=6 stat -c '%a %u:%g' /tmp > /x"],
      tree: ['644 0:0 file x = "711 5:6\\n"'],
    },
    {
      name: "cache: begins with files",
      runs: true,
      file: [
        linux,
        "RUN --mount=type=cache,id=filled,target=/tmp,from=wbuild.local/linux,source=/etc cat /tmp/hostname > /dev/null; ls /tmp/passwd > /x",
      ],
      tree: ['644 0:0 file x = "/tmp/passwd\\n"'],
    },
    {
      name: "cache: private",
      runs: true,
      file: [
        linux,
        "RUN --mount=type=cache,id=own,sharing=private,target=/tmp touch /tmp/x",
        "RUN --mount=type=cache,id=shared,sharing=shared,target=/tmp,ro touch /tmp/x 2> /dev/null || echo no > /x",
      ],
      tree: ['644 0:0 file x = "no\\n"'],
    },
    {
      name: "tmpfs: empty, and in no layer",
      runs: true,
      file: [linux, "RUN --mount=type=tmpfs,target=/etc/ssl ls /etc/ssl > /x; echo y > /etc/ssl/y"],
      tree: ["644 0:0 file x"],
    },
    {
      name: "tmpfs: of a size",
      runs: true,
      file: [linux, "RUN --mount=type=tmpfs,target=/tmp,size=1m df -k /tmp | awk 'NR==2 { print $2 }' > /x"],
      tree: ['644 0:0 file x = "1024\\n"'],
    },
    {
      name: "secret: a file",
      runs: true,
      request: { secrets },
      file: [
        linux,
        "RUN --mount=type=secret,id=token cat /run/secrets/token > /x; stat -c '%a %u:%g' /run/secrets/token >> /x",
      ],
      tree: ['644 0:0 file x = "hush400 0:0\\n"'],
    },
    {
      name: "secret: elsewhere, with owner and mode",
      runs: true,
      request: { secrets },
      file: [
        linux,
        "RUN --mount=type=secret,id=token,target=/tmp/s,mode=0444,uid=5,gid=6 stat -c '%a %u:%g' /tmp/s > /x && rm -f /tmp/s || true",
      ],
    },
    {
      name: "secret: a variable",
      runs: true,
      request: { secrets },
      file: [linux, "RUN --mount=type=secret,id=token,env=TOKEN echo ${#TOKEN} > /x"],
      tree: ['644 0:0 file x = "4\\n"'],
    },
    {
      name: "bind: what is not in the stage",
      runs: true,
      file: [`${scratch} AS one`, "COPY a.txt /", linux, "RUN --mount=from=one,source=/nothing,target=/tmp true"],
      error: "STEP_MOUNT_SOURCE",
    },
    {
      name: "over the container's own mounts",
      runs: true,
      file: [linux, "RUN --mount=type=tmpfs,target=/proc true"],
      error: "BOX_MOUNT_TARGET",
    },
    {
      name: "secret: not there, and not needed",
      runs: true,
      file: [linux, "RUN --mount=type=secret,id=token ls /run/secrets 2> /dev/null > /x || true"],
      tree: ["644 0:0 file x"],
    },
    {
      name: "secret: not there, but needed",
      runs: true,
      file: [linux, "RUN --mount=type=secret,id=token,required true"],
      error: "STEP_SECRET",
    },
    {
      name: "ssh: not there, and not needed",
      runs: true,
      file: [linux, "RUN --mount=type=ssh,id=default,target=/tmp/agent,mode=0600,uid=0,gid=0 true"],
      tree: [],
    },
    {
      name: "ssh: not there, but needed",
      runs: true,
      file: [linux, "RUN --mount=type=ssh,required=true true"],
      error: "STEP_SSH",
    },
    { name: "a type that is none", file: [linux, "RUN --mount=type=magic,target=/x true"], error: "DF_MOUNT" },
    { name: "an option that is none", file: [linux, "RUN --mount=type=bind,targte=/x true"], error: "DF_MOUNT" },
    {
      name: "an option of another type",
      file: [linux, "RUN --mount=type=tmpfs,target=/x,sharing=locked true"],
      error: "DF_MOUNT",
    },
    {
      name: "a variable as origin",
      file: [linux, "ARG S=one", "RUN --mount=from=$S,target=/x true"],
      error: "DF_FROM_VARIABLE",
    },
    { name: "no value", file: [linux, "RUN --mount true"], error: "DF_FLAG_VALUE" },
  ],
};
