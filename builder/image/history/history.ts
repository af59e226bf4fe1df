/** An image's history as `docker history` users know it: rows, newest first, and the ways to print them. */
import type { History, Image } from "../../../registry/oci/image.ts";
import { formatBytes } from "../../progress/units.ts";
import { alignColumns, formatRows } from "../format/format.ts";
import { humanAge } from "../format/go-text.ts";

export interface HistoryRow {
  /** The image's id (digest of its config) in the newest row, else undefined: one image holds one id. */
  readonly id: string | undefined;
  /** RFC 3339 as the image has it. */
  readonly created: string | undefined;
  readonly createdBy: string;
  /** Uncompressed bytes of the step's layer; 0 for a step without one, undefined for a layer that is elsewhere. */
  readonly size: number | undefined;
  /** Keys and values of the registry that the step's layer changes; undefined without such a layer, and of a base. */
  readonly registryChanges: number | undefined;
  readonly comment: string;
}

export interface HistoryOptions {
  /** Show ids and CREATED BY in full. */
  readonly noTrunc?: boolean;
  /** false: sizes in bytes and times as dates. */
  readonly human?: boolean;
  /** Only ids. */
  readonly quiet?: boolean;
  /** "json", "table …" or a template; json is one object a line. */
  readonly format?: string;
  /** Milliseconds since 1970: "2 weeks ago" is counted from here. */
  readonly now: number;
}

const missing = "<missing>";
const shownCreatedBy = 45;

/**
 * One row for each history entry, newest first. `layerSizes` as layerSizes() gives them, `registryCounts` as registryCounts() does.
 * Entries and layers that do not fit together are still all shown: layers beyond the history get rows of their own.
 */
export function historyRows(
  image: Image,
  layerSizes: readonly (number | undefined)[],
  registryCounts: readonly (number | undefined)[] = [],
): HistoryRow[] {
  const entries: readonly History[] = image.config.history ?? [];
  let layer = 0;
  const rows: HistoryRow[] = entries.map((entry) => {
    const own = entry.empty_layer ? undefined : layer++;
    return {
      id: undefined,
      created: entry.created,
      createdBy: entry.created_by ?? "",
      size: own === undefined || own >= layerSizes.length ? 0 : layerSizes[own],
      registryChanges: own === undefined ? undefined : registryCounts[own],
      comment: entry.comment ?? "",
    };
  });
  for (; layer < layerSizes.length; layer++) {
    const [size, registryChanges] = [layerSizes[layer], registryCounts[layer]];
    rows.push({ id: undefined, created: image.config.created, createdBy: "", size, registryChanges, comment: "" });
  }
  rows.reverse();
  const [newest, ...older] = rows;
  return newest === undefined ? [] : [{ ...newest, id: image.manifest.config.digest }, ...older];
}

const headers = {
  ID: "IMAGE",
  CreatedAt: "CREATED AT",
  CreatedSince: "CREATED",
  CreatedBy: "CREATED BY",
  Size: "SIZE",
  RegistryChanges: "REGISTRY",
  Comment: "COMMENT",
} as const;

/** The rows as text, each line ended. Throws IMG_FORMAT. */
export function renderHistory(rows: readonly HistoryRow[], options: HistoryOptions): string {
  const { format, human = true } = options;
  const isFull = options.noTrunc === true || format === "json";
  const shown = rows.map((row) => fieldsOf(row, { ...options, human, noTrunc: isFull }));
  if (options.quiet) return shown.map((row) => `${row.ID}\n`).join("");
  const isWindows = rows.some((row) => row.registryChanges !== undefined);
  // Programs that know docker's objects get no other.
  if (format === "json" && !isWindows)
    return formatRows(
      shown.map(({ RegistryChanges: _, ...row }) => row),
      format,
      headers,
    );
  if (format !== undefined && format !== "table") return formatRows(shown, format, headers);
  // Docker's table, and of Windows images one column more.
  const columns = (row: ReturnType<typeof fieldsOf>) => [
    ...[row.ID, human ? row.CreatedSince : row.CreatedAt, row.CreatedBy, row.Size],
    ...(isWindows ? [row.RegistryChanges] : []),
    row.Comment,
  ];
  const head = { ...headers, CreatedSince: "CREATED", CreatedAt: "CREATED AT" };
  return alignColumns([columns(head), ...shown.map(columns)]);
}

/** Docker's field names, for templates and JSON. */
function fieldsOf(row: HistoryRow, options: HistoryOptions): Record<keyof typeof headers, string> {
  const time = row.created === undefined ? Number.NaN : Date.parse(row.created);
  // Year 1 is Go's "no time".
  const isKnown = Number.isFinite(time) && new Date(time).getUTCFullYear() > 1;
  // JSON is for programs: they get the text as the image has it.
  const clean = options.format === "json" ? (text: string) => text : harmless;
  const oneLine = clean(row.createdBy);
  const id = row.id ?? missing;
  return {
    Comment: clean(row.comment),
    CreatedAt: isKnown ? new Date(time).toISOString().replace(/\.\d+Z$/, "Z") : "N/A",
    CreatedBy: options.noTrunc ? oneLine : ellipsis(oneLine, shownCreatedBy),
    CreatedSince: isKnown ? humanAge(time, options.now) : "N/A",
    ID: options.noTrunc ? id : id.replace(/^sha256:/, "").slice(0, 12),
    RegistryChanges: row.registryChanges === undefined ? "" : String(row.registryChanges),
    Size: row.size === undefined ? "N/A" : options.human === false ? String(row.size) : formatBytes(row.size),
  };
}

/** Histories are foreign text: a tab would break the table, and control characters obey whoever wrote the image. */
function harmless(text: string): string {
  return text.replace(/[\t\r\n]/g, " ").replace(/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}

function ellipsis(text: string, length: number): string {
  const characters = [...text];
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join("")}…`;
}
