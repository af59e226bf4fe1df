/** All tables of cases, by instruction. */
import type { CaseTable } from "./case.ts";
import { copyCases } from "./cases/copy.ts";
import { copyExcludeCases, copyLinkCases, copyModeCases, copyParentsCases } from "./cases/copy-flags.ts";
import { copyFromCases } from "./cases/copy-from.ts";
import { heredocCases } from "./cases/heredoc.ts";

export const tables: readonly CaseTable[] = [
  copyCases,
  copyModeCases,
  copyLinkCases,
  copyParentsCases,
  copyExcludeCases,
  copyFromCases,
  heredocCases,
];
