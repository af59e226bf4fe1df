/** All tables of cases, by instruction. */
import type { CaseTable } from "./case.ts";
import { addCases } from "./cases/add.ts";
import { commandCases, healthCases, smallCases } from "./cases/commands.ts";
import { argCases, envCases, expansionCases } from "./cases/config.ts";
import { copyCases } from "./cases/copy.ts";
import { copyLinkCases, copyModeCases } from "./cases/copy-flags.ts";
import { copyFromCases } from "./cases/copy-from.ts";
import { copyExcludeCases, copyParentsCases } from "./cases/copy-narrow.ts";
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
