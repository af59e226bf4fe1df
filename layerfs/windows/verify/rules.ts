/**
 * Every rule of `inspect --verify`: how grave a breach is, who trips over it, why, and what to do. The page
 * docs/formats/windows-verify.md is made from this table. Ids are for ever, as error codes are.
 */
import { hiveRules } from "./hive-rules.ts";
import { imageRules } from "./image-rules.ts";
import { layerRules } from "./layer-rules.ts";

export const rules = { ...layerRules, ...hiveRules, ...imageRules };

export type RuleId = keyof typeof rules;

export type { Importer, Rule, Severity } from "./rule.ts";
