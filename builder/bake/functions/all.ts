/** Every function that bake files have, by name. */
import { collectionFunctions } from "./collections.ts";
import { encodingFunctions } from "./encoding.ts";
import type { FunctionTable } from "./function.ts";
import { numberFunctions } from "./numbers.ts";
import { textFunctions } from "./text.ts";

/** `try` and `can` are not here: they evaluate their arguments themselves. */
export const functions: FunctionTable = {
  ...numberFunctions,
  ...textFunctions,
  ...collectionFunctions,
  ...encodingFunctions,
};

/** Functions of buildx that are left out, and why. */
export const missingFunctions: Readonly<Record<string, string>> = {
  bcrypt: "it gives another text each time",
  rsadecrypt: "a build's definition is no place for private keys",
  cidrhost: "network addresses are not computed",
  cidrnetmask: "network addresses are not computed",
  cidrsubnet: "network addresses are not computed",
  cidrsubnets: "network addresses are not computed",
  convert: "types are converted where a value is used",
};
