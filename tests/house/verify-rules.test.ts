import test from "ava";
import { rules } from "../../layerfs/windows/verify/rules.ts";
import { goldenFile } from "../doubles/golden.ts";
import { verifyPage } from "./verify-page.ts";

test("every rule tells in the house's style what must hold, what happens else, and what to do", (t) => {
  for (const [id, { importers, rule, why, remedy }] of Object.entries(rules)) {
    t.regex(id, /^[a-z]+(?:-[a-z]+)*$/);
    t.true(importers.length > 0, id);
    for (const text of [rule, why, remedy]) {
      t.true(text.length > 4, id);
      t.notRegex(text, /^(A|An|The|There|What|This|It) |\.$/, `${id}: no capital, no full stop`);
    }
  }
});

test("docs/formats/windows-verify.md is made from the tables", (t) => {
  goldenFile(t, "docs/formats/windows-verify.md", verifyPage());
});
