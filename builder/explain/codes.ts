/**
 * Every error code: the exit code it leads to, what it means, and what to do when the error itself does not say.
 * Codes are for ever. A house test compares this table with the codes in the sources and with docs/errors, both ways.
 */
import { contentCodes } from "./content-codes.ts";
import { inputCodes } from "./input-codes.ts";
import type { CodeTable } from "./row.ts";

export const codes: CodeTable = { ...inputCodes, ...contentCodes };
