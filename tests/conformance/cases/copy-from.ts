import { type CaseTable, linux, scratch } from "../case.ts";

const one = [`${scratch} AS one`, "COPY dir /d"];

export const copyFromCases: CaseTable = {
  about: "COPY --from",
  cases: [
    {
      name: "a stage by name",
      file: [...one, scratch, "COPY --from=one /d/one.txt /"],
      tree: ['644 0:0 file one.txt = "1\\n"'],
    },
    {
      name: "a stage's name has no letter case",
      file: [`${scratch} AS One`, "COPY a.txt /", scratch, "COPY --from=ONE /a.txt /x"],
      tree: ['644 0:0 file x = "a\\n"'],
    },
    {
      name: "a stage by number",
      file: [...one, scratch, "COPY --from=0 /d/sub/deep /x"],
      tree: ["755 0:0 dir x", '644 0:0 file x/five.txt = "5\\n"'],
    },
    {
      name: "a path without a slash counts from the root",
      file: [...one, scratch, "COPY --from=one d/two.md /"],
      tree: ['644 0:0 file two.md = "2\\n"'],
    },
    {
      name: "a wildcard",
      file: [...one, scratch, "COPY --from=one /d/*.md /d/sub/*.md /"],
      tree: ['644 0:0 file four.md = "4\\n"', '644 0:0 file two.md = "2\\n"'],
    },
    {
      name: "all of a stage",
      file: [`${scratch} AS one`, "COPY dir/sub/deep /x", scratch, "COPY --from=one / /y/"],
      tree: ["755 0:0 dir y", "755 0:0 dir y/x", '644 0:0 file y/x/five.txt = "5\\n"'],
    },
    {
      name: "owners stay",
      file: [`${scratch} AS one`, "COPY --chown=5:6 a.txt /x/", scratch, "COPY --from=one / /"],
      tree: ["755 5:6 dir x", '644 5:6 file x/a.txt = "a\\n"'],
    },
    {
      name: "unless others are given",
      file: [`${scratch} AS one`, "COPY --chown=5:6 a.txt /", scratch, "COPY --from=one --chown=7:8 /a.txt /"],
      tree: ['644 7:8 file a.txt = "a\\n"'],
    },
    {
      name: "an image",
      file: [scratch, "COPY --from=wbuild.local/linux /tmp /x/"],
      tree: ["755 0:0 dir x"],
    },
    {
      name: "a link in a stage is followed inside of it",
      file: [`${linux} AS one`, "COPY a.txt /real", "RUN ln -s /real /l", scratch, "COPY --from=one /l /x"],
      runs: true,
      tree: ['644 0:0 file x = "a\\n"'],
    },
    { name: "what is not there", file: [...one, scratch, "COPY --from=one /nothing /"], error: "CTX_NO_SOURCE" },
    {
      name: "a pattern without a match",
      file: [...one, scratch, "COPY --from=one /no* /"],
      tree: [],
      warning: /nothing/,
    },
    { name: "its own stage", file: [`${scratch} AS one`, "COPY --from=one /a /b"], error: "DF_STAGE_CYCLE" },
    {
      name: "two stages that need each other",
      file: [`${scratch} AS one`, "COPY --from=two /a /b", `${scratch} AS two`, "COPY --from=one /a /b"],
      error: "DF_STAGE_CYCLE",
    },
    { name: "a number too high", file: [scratch, "COPY --from=5 /a /b"], error: "DF_STAGE_INDEX" },
    { name: "a variable", file: [scratch, "ARG x=one", "COPY --from=$x /a /b"], error: "DF_FROM_VARIABLE" },
    {
      name: "an image that is nowhere",
      file: [scratch, "COPY --from=wbuild.local/nothing-here /a /b"],
      error: "REG_LOCAL_ONLY",
    },
  ],
};
