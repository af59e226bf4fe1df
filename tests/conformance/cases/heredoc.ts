import { type CaseTable, linux, scratch } from "../case.ts";

export const heredocCases: CaseTable = {
  about: "here-documents",
  cases: [
    {
      name: "a file of its own name in a folder",
      file: [scratch, "COPY <<hello.txt /d/", "one", "  two", "hello.txt"],
      tree: ["755 0:0 dir d", '644 0:0 file d/hello.txt = "one\\n  two\\n"'],
      history: ["COPY <<hello.txt /d/ # buildkit"],
    },
    {
      name: "a file of another name",
      file: [scratch, "COPY <<EOF /x", "one", "EOF"],
      tree: ['644 0:0 file x = "one\\n"'],
    },
    {
      name: "two of them",
      file: [scratch, "COPY <<a.txt <<b.txt /d/", "A", "a.txt", "B", "b.txt"],
      tree: ["755 0:0 dir d", '644 0:0 file d/a.txt = "A\\n"', '644 0:0 file d/b.txt = "B\\n"'],
    },
    {
      name: "beside files of the context",
      file: [scratch, "COPY a.txt <<new.txt /d/", "new", "new.txt"],
      tree: ["755 0:0 dir d", '644 0:0 file d/a.txt = "a\\n"', '644 0:0 file d/new.txt = "new\\n"'],
    },
    {
      name: "variables",
      file: [scratch, "ARG v=world", "COPY <<EOF /x", "hello $v ${v:-no}", "EOF"],
      tree: ['644 0:0 file x = "hello world world\\n"'],
    },
    {
      name: "no variables in quotes",
      file: [scratch, "ARG v=world", "COPY <<'EOF' /x", "hello $v", "EOF"],
      tree: ['644 0:0 file x = "hello $v\\n"'],
    },
    {
      name: "double quotes, too",
      file: [scratch, 'COPY <<"EOF" /x', "hello $v", "EOF"],
      tree: ['644 0:0 file x = "hello $v\\n"'],
    },
    {
      name: "tabs at the beginning go",
      file: [scratch, "COPY <<-EOF /x", "\t\tone", "\t two", "\tEOF"],
      tree: ['644 0:0 file x = "one\\n two\\n"'],
    },
    { name: "an empty one", file: [scratch, "COPY <<EOF /x", "EOF"], tree: ["644 0:0 file x"] },
    {
      name: "comments and blank lines are text",
      file: [scratch, "COPY <<EOF /x", "# no comment", "", "RUN no", "EOF"],
      tree: ['644 0:0 file x = "# no comment\\n\\nRUN no\\n"'],
    },
    {
      name: "owner and mode",
      file: [scratch, "COPY --chown=1:2 --chmod=755 <<run /", "#!/bin/sh", "run"],
      tree: ['755 1:2 file run = "#!/bin/sh\\n"'],
    },
    {
      name: "--link",
      file: [scratch, "COPY --link <<f /d/", "x", "f"],
      tree: ["755 0:0 dir d", '644 0:0 file d/f = "x\\n"'],
    },
    {
      name: "ADD takes them, too",
      file: [scratch, "ADD <<f /", "x", "f"],
      tree: ['644 0:0 file f = "x\\n"'],
      history: ["ADD <<f / # buildkit"],
    },
    {
      name: "into the working folder",
      file: [scratch, "WORKDIR /w", "COPY <<f .", "x", "f"],
      tree: ["755 0:0 dir w", '644 0:0 file w/f = "x\\n"'],
    },
    {
      name: "onto a folder that is there",
      file: [scratch, "WORKDIR /w", "COPY <<f /w", "x", "f"],
      tree: ["755 0:0 dir w", '644 0:0 file w/f = "x\\n"'],
    },
    {
      name: "a shell's script in a RUN",
      runs: true,
      file: [linux, "RUN <<EOF", "echo one > /x", 'echo "$HOME" >> /x', "EOF"],
      tree: ['644 0:0 file x = "one\\n/root\\n"'],
    },
    {
      name: "a script with its own interpreter",
      runs: true,
      file: [linux, "RUN <<EOF", "#!/bin/sh -e", "echo $0 > /dev/null", "echo two > /x", "EOF"],
      tree: ['644 0:0 file x = "two\\n"'],
    },
    {
      name: "what a command reads",
      runs: true,
      file: [linux, "RUN cat <<EOF > /x", "three", "EOF"],
      tree: ['644 0:0 file x = "three\\n"'],
    },
    {
      name: "two that a command reads",
      runs: true,
      file: [linux, "RUN cat <<A > /x && cat <<B >> /x", "one", "A", "two", "B"],
      tree: ['644 0:0 file x = "one\\ntwo\\n"'],
    },
    { name: "one that never ends", file: [scratch, "COPY <<EOF /x", "one"], error: "DF_HEREDOC_END" },
    { name: "as target", file: [scratch, "COPY a.txt <<EOF", "one", "EOF"], error: "DF_HEREDOC_TARGET" },
    { name: "a name that is no file's", file: [scratch, "COPY <<.. /d/", "x", ".."], error: "DF_HEREDOC_NAME" },
  ],
};
