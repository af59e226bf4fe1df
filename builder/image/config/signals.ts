/** The signals that STOPSIGNAL takes on Linux: by number or by name, with or without SIG, real-time ones too. */

const names = new Set(
  (
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP " +
    "TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX"
  ).split(" "),
);

export function isSignal(text: string): boolean {
  // What no kernel knows is refused when a container is stopped, not here, as in Docker.
  if (/^\d{1,9}$/.test(text)) return Number(text) >= 1;
  const name = text.toUpperCase().replace(/^SIG/, "");
  if (names.has(name)) return true;
  const realTime = /^RT(MIN\+|MAX-)(\d{1,2})$/.exec(name);
  if (realTime === null) return false;
  const offset = Number(realTime[2]);
  return offset >= 1 && offset <= (realTime[1] === "MIN+" ? 15 : 14);
}

/** For suggestions. */
export const signalNames: readonly string[] = [...names].map((name) => `SIG${name}`);
