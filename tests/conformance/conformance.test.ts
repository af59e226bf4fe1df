/** Every case of the tables, built and compared with what it must give. */
import test from "ava";
import { CaseBuilder, type Outcome } from "./builder.ts";
import type { Case } from "./case.ts";
import { tables } from "./tables.ts";

const builder = await CaseBuilder.open();
test.after.always(() => builder[Symbol.asyncDispose]());

/** Only what the case says something about. */
function seen(one: Case, outcome: Outcome) {
  const config =
    one.config &&
    Object.fromEntries(
      Object.keys(one.config).map((name) => [name, outcome.config?.[name as keyof typeof outcome.config]]),
    );
  return {
    error: outcome.error?.code,
    ...(one.tree ? { tree: outcome.tree } : {}),
    ...(config ? { config } : {}),
    ...(one.history ? { history: outcome.history } : {}),
  };
}

for (const { about, cases } of tables) {
  for (const one of cases) {
    test(`${about}: ${one.name}`, async (t) => {
      const outcome = await builder.build(one);
      const { tree, config, history } = one;
      const expected = {
        error: one.error,
        ...(tree ? { tree: [...tree] } : {}),
        ...(config ? { config } : {}),
        ...(history ? { history: [...history] } : {}),
      };
      t.deepEqual(seen(one, outcome), expected, outcome.error?.message);
      if (one.warning) t.regex(outcome.warnings.join("\n"), one.warning);
    });
  }
}
