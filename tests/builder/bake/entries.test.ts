/** Records of a target as buildx prints them. */
import test from "ava";
import { entryObject } from "../../../builder/bake/entries.ts";
import type { AttributeName } from "../../../builder/bake/target.ts";

const cases: readonly [AttributeName, text: string, object: object | string][] = [
  ["cache-from", "user/app:cache", { ref: "user/app:cache", type: "registry" }],
  ["cache-from", "type=local,src=/c", { src: "/c", type: "local" }],
  ["cache-from", 'type=registry,"ref=a,b"', { ref: "a,b", type: "registry" }],
  ["cache-to", "type=inline", { type: "inline" }],
  ["output", "./out", { dest: "./out", type: "local" }],
  ["output", "-", { dest: "-", type: "tar" }],
  ["output", "type=image,name=foo,push=true", { name: "foo", push: "true", type: "image" }],
  ["attest", "type=provenance,mode=max", { mode: "max", type: "provenance" }],
  ["attest", "type=sbom,disabled=true", { disabled: true, type: "sbom" }],
  ["secret", "type=file,id=d,source=sx", { id: "d", src: "sx" }],
  ["secret", "id=b,env=B", { id: "b", env: "B" }],
  ["ssh", "default", { id: "default" }],
  ["ssh", "k=one,two", { id: "k", paths: ["one", "two"] }],
  ["output", 'type="x"y', 'type="x"y'],
  ["output", "type=local,./x", "type=local,./x"],
  ["attest", "sbom", "sbom"],
  ["cache-to", "", { ref: "", type: "registry" }],
];

for (const [name, text, object] of cases)
  test(`${name} = ${JSON.stringify(text)}`, (t) => {
    t.deepEqual(entryObject(name, text), object);
  });
