/** All tables of cases, by instruction. */
import type { CaseTable } from "./case.ts";
import { addCases } from "./cases/add.ts";
import { argCases, commandCases, envCases, expansionCases, healthCases, smallCases } from "./cases/config.ts";
import { copyCases } from "./cases/copy.ts";
import { copyExcludeCases, copyLinkCases, copyModeCases, copyParentsCases } from "./cases/copy-flags.ts";
import { copyFromCases } from "./cases/copy-from.ts";
import { heredocCases } from "./cases/heredoc.ts";
import { fromCases, languageCases } from "./cases/language.ts";
import { mountCases, runCases } from "./cases/run.ts";
import { windowsCases } from "./cases/windows.ts";

export const tables: readonly CaseTable[] = [
  copyCases,
  copyModeCases,
  copyLinkCases,
  copyParentsCases,
  copyExcludeCases,
  copyFromCases,
  heredocCases,
  addCases,
  envCases,
  argCases,
  expansionCases,
  commandCases,
  smallCases,
  healthCases,
  fromCases,
  languageCases,
  runCases,
  mountCases,
  windowsCases,
];
