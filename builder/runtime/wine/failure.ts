/** Why a Windows program did not run, for people: which one, and what is known about it. */
import { constants } from "node:os";
import { WbuildError } from "../../../native/error.ts";
import type { SessionResult } from "./session.ts";

/** NTSTATUS codes with which programs end before they begin. */
const statuses: Readonly<Record<number, string>> = {
  3221225477: "it tried to use memory that is not its own (0xC0000005)",
  3221225501: "it used an instruction that this processor does not have (0xC000001D)",
  3221225725: "its stack overflowed (0xC00000FD)",
  3221225595: "it is a 32-bit program or its image is damaged (0xC000007B)",
  3221225781: "a DLL that it needs is missing (0xC0000135)",
  3221225785: "a DLL lacks a function that it needs (0xC0000139)",
  3221225794: "a DLL could not be initialised (0xC0000142)",
};

/** Of cmd.exe, for a command that it does not know or cannot start. */
const notRecognized = 9009;
/** Of Wine 10's, which then says nothing, for a program that is there and cannot be started: ERROR_INVALID_HANDLE. */
const notStarted = 6;

const powershell = /(?:^|[\\/\s"])(?:powershell|pwsh)(?:\.exe)?(?:[\s"]|$)/i;

const powershellHint =
  "no PowerShell is part of this personality: use an image that brings pwsh.exe, or give one with " +
  "`wbuild tools add powershell ARCHIVE`";

/** The error for a program that could not be started, or that ended for want of a DLL; undefined when it ran. */
export function programFailure(result: SessionResult, commandLine: string): WbuildError | undefined {
  const [missing] = result.missing ?? [];
  if (missing) {
    const all = (result.missing ?? []).map(({ dll, neededBy }) => `${dll} (needed by ${neededBy})`).join(", ");
    return new WbuildError("WIN_DLL", `the program cannot start, a DLL is missing: ${all}`, {
      facts: { exitCode: result.exit, missing: result.missing, commandLine },
      hint: "COPY the DLL beside the program, or into C:\\Windows\\System32",
    });
  }
  if (result.error === undefined) return undefined;
  const program = result.program || commandLine;
  const facts = { program, code: result.code, commandLine };
  switch (result.error) {
    case "not-found":
      return new WbuildError("BOX_COMMAND", `cannot run ${program}: there is no such program in the image`, {
        facts: { ...facts, errno: constants.errno.ENOENT },
        hint: powershell.test(program) ? powershellHint : "the name is looked up in PATH, with .exe behind it",
      });
    case "not-program":
      return new WbuildError("BOX_COMMAND", `cannot run ${program}: it is no program for 64-bit Windows`, {
        facts: { ...facts, errno: constants.errno.ENOEXEC },
        hint: "32-bit Windows programs, and those of other processors, cannot run here",
      });
    default:
      return new WbuildError("BOX_COMMAND", `cannot run ${program}: Windows error ${result.code ?? 0}`, {
        facts: { ...facts, errno: constants.errno.EACCES },
      });
  }
}

/** What is known about an exit code or a command that failed, for a hint; undefined when nothing is. */
export function exitHint(code: number | undefined, commandLine: string): string | undefined {
  if (powershell.test(commandLine)) return powershellHint;
  if (code === notRecognized) {
    return "cmd found no such program: it is not in PATH, or it is none for 64-bit Windows (others cannot run here)";
  }
  if (code === notStarted) {
    return "cmd may not have been able to start it: programs that are none for 64-bit Windows cannot run here";
  }
  const status = code === undefined ? undefined : statuses[code];
  return status === undefined ? undefined : `the program ended because ${status}`;
}
