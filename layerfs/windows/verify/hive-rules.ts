/** Rules about the registry hives of layers. */
import { all, error, warning } from "./rule.ts";

const ours = "let wbuild, or Windows, write the hive";

export const hiveRules = {
  "base-hives-folder": error(
    all,
    "a base layer has no Hives",
    "its import makes that folder: 'already exists'",
    "leave it out",
  ),
  "base-layout": error(
    all,
    "a base layer has no file named layout",
    "its import makes that file: 'already exists'",
    "leave it out",
  ),
  "base-hive-missing": error(
    all,
    "a base layer has SYSTEM, SOFTWARE, SAM, SECURITY and DEFAULT in Files/Windows/System32/config",
    "the import links each of them, and fails without one",
    "add the hive; an empty one will do",
  ),
  "base-hive-broken": error(
    all,
    "a base layer's hives can be read",
    "the base imports, but its children fail with 0x3f1, 'the registry database is corrupt'",
    "write the hive anew",
  ),
  "base-hive-layered": error(
    all,
    "a base layer's hives are whole hives, not differences",
    "nothing lies below that a difference could be merged with",
    "write the merged hive",
  ),
  "hive-dirty": warning(
    all,
    "hives are clean: nothing is left to be applied from logs",
    "the newest changes lie in logs that importers do not read",
    "let wbuild or Windows bring the hive up to date",
  ),
  "hive-lint": warning(
    all,
    "hives are as Windows keeps them: lists in order with right hashes, counts and lengths, nothing left over",
    "Windows finds some keys slowly or not at all, or takes too small a buffer",
    ours,
  ),
  "hive-size": warning(all, "hives are at most 1 GiB", "this one was not looked into", "look at what fills it"),
  "utilityvm-bcd": error(
    ["hcs"],
    "UtilityVM/Files of a base has EFI/Microsoft/Boot/BCD, a hive",
    "the import changes that hive, and fails without it",
    "add it, or leave UtilityVM out",
  ),
  "delta-missing": warning(
    ["cimfs"],
    "a layer above the base has all five deltas (System, Software, Sam, Security, DefaultUser)",
    "a layer without one ends the chain: no layer above it can change that hive",
    "add empty deltas",
  ),
  "delta-gap": error(
    ["cimfs"],
    "a delta stands on a layer that has one too, or on the base",
    "the hive to merge it with was never made for the layer below, and the import fails",
    "add an empty delta to the layer below",
  ),
  "hives-unknown": warning(all, "Hives holds the five deltas and nothing else", "nobody reads it", "leave it out"),
  "delta-unreadable": error(
    all,
    "a delta can be read",
    "merging fails with 0x3f1, 'the registry database is corrupt'",
    ours,
  ),
  "delta-version": error(
    all,
    "a delta has version 1.6 and the flag of layered keys",
    "its marks are not understood: deleted keys come back as empty ones",
    ours,
  ),
  "delta-root": error(
    all,
    "the root of a delta merges with the one below",
    "the whole hive below would be hidden",
    ours,
  ),
  "delta-layer-bits": error(
    all,
    "layer semantics use bits 7, 1 and 0 alone",
    "the hive is refused, or the key means something else",
    ours,
  ),
  "delta-tombstone": error(
    all,
    "what is marked as deleted has no content",
    "content of deleted keys is lost, or comes back",
    ours,
  ),
  "delta-supersede": error(
    all,
    "below a key that replaces a tree everything replaces, or is deleted",
    "the hive is refused, or old keys shine through",
    ours,
  ),
  "delta-security": error(
    all,
    "every key names a sound security cell, and the cells know how many name them",
    "rights of keys are lost, or the hive is refused",
    ours,
  ),
  "delta-control-set": error(
    all,
    "CurrentControlSet is not stored",
    "it is a link that Windows makes at its start; a stored key stands in its way",
    "store ControlSet001 instead",
  ),
} as const;
