/** The graph for people and programs: text, JSON, mermaid. */
import type { BuildGraph, Node } from "./graph.ts";

const short = (node: Node) => node.id.slice("sha256:".length, "sha256:".length + 12);

/** One line a node, inputs before users: id, title, and the ids of its inputs. */
export function printText(graph: BuildGraph): string {
  return graph.nodes
    .map((node) => {
      const after = node.inputs.map(short);
      return `${short(node)}  ${node.title}${after.length > 0 ? `  <- ${after.join(" ")}` : ""}\n`;
    })
    .join("");
}

/** An object with `target` (id), `platform` and `nodes` [{id, title, op, inputs, line}]. */
export function printJson(graph: BuildGraph): string {
  const nodes = graph.nodes.map((node) => ({
    id: node.id,
    title: node.title,
    op: node.op,
    inputs: node.inputs.map((input) => input.id),
    ...(node.span ? { line: node.span.start.line } : {}),
  }));
  const { target } = graph;
  const shown = { target: target.node.id, stage: target.stage, platform: target.platform, nodes };
  // Proxy values may hold passwords; they are no part of a plan.
  return `${JSON.stringify(shown, (key, value) => (key === "proxyEnv" ? undefined : value), 2)}\n`;
}

/** A mermaid flowchart, top down. */
export function printMermaid(graph: BuildGraph): string {
  const names = new Map(graph.nodes.map((node, i) => [node, `n${i}`]));
  // Mermaid takes HTML entities inside quotes: nothing of a Dockerfile can end the label early.
  const label = (text: string) => text.replace(/[^\p{L}\p{N} _./:,=+-]/gu, (char) => `#${char.codePointAt(0)};`);
  const lines = graph.nodes.flatMap((node) => [
    `  ${names.get(node)}["${label(node.title)}"]`,
    ...node.inputs.map((input, i) => `  ${names.get(input)} ${i === 0 ? "-->" : "-.->"} ${names.get(node)}`),
  ]);
  return `flowchart TD\n${lines.join("\n")}\n`;
}
