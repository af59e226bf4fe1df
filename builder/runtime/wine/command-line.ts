/** Argument lists and Windows command lines: what CreateProcess gets is one string, and each program takes it apart itself. */

/**
 * One argument as programs of Microsoft's C runtime read it back: quoted only where it holds a blank or a quote, a quote
 * inside as `\"`, backslashes doubled only in front of a quote or of the end ("Parsing C command-line arguments").
 */
export function quoteArgument(argument: string): string {
  if (argument !== "" && !/[ \t\n\v"]/.test(argument)) return argument;
  return `"${argument.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, "$1$1")}"`;
}

/**
 * The command line of an argument list. With `escaped` (the config's ArgsEscaped) the first one is a command line already
 * and stands as it is; only what follows is quoted.
 */
export function commandLineOf(argv: readonly string[], { escaped = false } = {}): string {
  return argv.map((argument, index) => (escaped && index === 0 ? argument : quoteArgument(argument))).join(" ");
}
