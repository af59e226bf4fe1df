/** The graph for people and programs: text, JSON, mermaid. */
import type { BuildGraph, Node } from "./graph.ts";
import { allNodes } from "./merge.ts";

const short = (node: Node) => node.id.slice("sha256:".length, "sha256:".length + 12);

/** One line a node, inputs before users: id, title, and the ids of its inputs. */
export function printText(graphs: readonly BuildGraph[]): string {
  return allNodes(graphs)
    .map((node) => {
      const after = node.inputs.map(short);
      return `${short(node)}  ${node.title}${after.length > 0 ? `  <- ${after.join(" ")}` : ""}\n`;
    })
    .join("");
}

/**
 * An object with `target` (id), `stage`, `platform` and `nodes` [{id, title, op, inputs, line}]; for several platforms
 * with `targets` [{target, stage, platform}] and the nodes of all.
 */
export function printJson(graphs: readonly BuildGraph[]): string {
  const nodes = allNodes(graphs).map((node) => ({
    id: node.id,
    title: node.title,
    op: node.op,
    inputs: node.inputs.map((input) => input.id),
    ...(node.span ? { line: node.span.start.line } : {}),
  }));
  const targets = graphs.map(({ target }) => ({
    target: target.node.id,
    stage: target.stage,
    platform: target.platform,
  }));
  const shown = { ...(targets.length === 1 ? targets[0] : { targets }), nodes };
  // Proxy values may hold passwords; they are no part of a plan.
  return `${JSON.stringify(shown, (key, value) => (key === "proxyEnv" ? undefined : value), 2)}\n`;
}

/** A mermaid flowchart, top down. */
export function printMermaid(graphs: readonly BuildGraph[]): string {
  const nodes = allNodes(graphs);
  const names = new Map(nodes.map((node, i) => [node.id, `n${i}`]));
  // Mermaid takes HTML entities inside quotes: nothing of a Dockerfile can end the label early.
  const label = (text: string) => text.replace(/[^\p{L}\p{N} _./:,=+-]/gu, (char) => `#${char.codePointAt(0)};`);
  const lines = nodes.flatMap((node) => [
    `  ${names.get(node.id)}["${label(node.title)}"]`,
    ...node.inputs.map((input, i) => `  ${names.get(input.id)} ${i === 0 ? "-->" : "-.->"} ${names.get(node.id)}`),
  ]);
  return `flowchart TD\n${lines.join("\n")}\n`;
}
