/**
 * A second checker of Windows layers, written for being plain and not for being fast: whole tars in memory, lists that are
 * searched from the start. It shares nothing with the product's but the names of the rules, and both must agree.
 */
import { checkDelta, checkWhole } from "./naive-hives.ts";

interface Entry {
  name: string;
  type: string;
  size: number;
  link: string;
  pax: Map<string, string>;
  body: Buffer;
}

interface Known {
  path: string;
  kind: "directory" | "file" | "link";
  described: "none" | "stock" | "own";
}

const upper = (text: string) => text.toUpperCase();
const deltas = ["System_Delta", "Software_Delta", "Sam_Delta", "Security_Delta", "DefaultUser_Delta"];
const config = ["SYSTEM", "SOFTWARE", "SAM", "SECURITY", "DEFAULT"];

/** `rule@layer` of every rule that is broken, sorted. `stock` is the descriptor that builders give to folders, in base64. */
export function naiveCheck(tars: readonly Buffer[], stock: string): string[] {
  const broken = new Set<string>();
  let below: Known[] = [];
  let deltasBelow: Set<string> | undefined;
  let complete = true;
  tars.forEach((tar, index) => {
    const layer = index + 1;
    const fail = (rule: string) => broken.add(`${rule}@${layer}`);
    let entries: Entry[];
    try {
      entries = readTar(tar);
    } catch {
      fail("tar-unreadable");
      complete = false;
      deltasBelow = new Set(deltas.map(upper));
      return;
    }
    const found = checkLayer(entries, index === 0, below, complete, stock, fail);
    if (index > 0)
      for (const delta of deltas) {
        const has = found.hives.has(upper(delta));
        if (!has) fail("delta-missing");
        if (has && deltasBelow !== undefined && !deltasBelow.has(upper(delta))) fail("delta-gap");
      }
    deltasBelow = index === 0 ? undefined : found.hives;
    below = found.now;
  });
  return [...broken].sort();
}

function checkLayer(
  entries: Entry[],
  isBase: boolean,
  below: Known[],
  complete: boolean,
  stock: string,
  fail: (rule: string) => void,
) {
  const own: Known[] = [];
  const hidden: string[] = [];
  const hives = new Set<string>();
  const clean: string[] = [];
  let lastFile = "";
  let hasVmFiles = false;
  const inOwn = (path: string) => own.find((each) => upper(each.path) === upper(path));
  const inBelow = (path: string) => below.find((each) => upper(each.path) === upper(path));
  const anywhere = (path: string) => inOwn(path) ?? inBelow(path);
  const lastOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);

  for (const entry of entries) {
    const path = entry.type === "5" ? entry.name.replace(/\/$/, "") : entry.name;
    const parts = path.split("/");
    const name = lastOf(path);
    if (entry.name.length > 32767) {
      fail("name-illegal");
      continue;
    }
    if (path.includes("\\") || path.includes("\0") || parts.some((part) => ["", ".", ".."].includes(part))) {
      fail("entry-name");
      continue;
    }
    if (parts.some((part) => part.length > 255)) {
      fail("name-illegal");
      continue;
    }
    clean.push(entry.type === "5" ? path : "");
    if (parts[0] === "UtilityVM" && parts[1] === "Files") hasVmFiles = true;
    const isWhiteout = name.startsWith(".wh.");
    if (!["Files", "Hives", "UtilityVM"].includes(parts[0] ?? "")) {
      if (["FILES", "HIVES", "UTILITYVM"].includes(upper(parts[0] ?? ""))) fail("top-case");
      else if (isWhiteout) fail("whiteout-place");
      else if (isBase && upper(path) === "LAYOUT") fail("base-layout");
      else if (isHostFile(parts)) fail("host-file");
      else fail("top-level");
      continue;
    }
    if (parts.length === 1 && entry.type !== "5") {
      fail("entry-type");
      continue;
    }
    const above = parts.slice(0, -1).map((_, at) => parts.slice(0, at + 1).join("/"));
    const checkLinks = () => {
      for (const up of above) if (anywhere(up)?.kind === "link") fail("under-link");
    };
    if (isWhiteout) {
      checkLinks();
      const victimName = name.slice(4);
      const victim = [...parts.slice(0, -1), victimName].join("/");
      if (isBase) fail("whiteout-base");
      if (victimName === ".wh..opq") fail("whiteout-opaque");
      else if (["", ".", ".."].includes(victimName) || victimName.startsWith(".wh.")) fail("whiteout-name");
      else {
        if (entry.type !== "0" || entry.size > 0 || [...entry.pax.keys()].some((key) => key.startsWith("MSWINDOWS.")))
          fail("whiteout-form");
        if (!isContent(victim)) fail("whiteout-place");
        else {
          if (inOwn(victim)) fail("whiteout-beside-entry");
          else if (victim.startsWith("UtilityVM/") && complete && !inBelow(victim)) fail("whiteout-victim");
          hidden.push(victim);
        }
      }
      continue;
    }
    if (!["0", "1", "2", "5"].includes(entry.type)) {
      fail("entry-type");
      continue;
    }
    if (entry.type === "0" && lastFile !== "" && path.startsWith(`${lastFile}:`)) {
      fail("stream");
      continue;
    }
    if (!isLegal(name)) fail("name-illegal");
    checkLinks();
    for (const up of above) {
      const seen = inOwn(up);
      if (!seen) fail("ancestor-missing");
      else if (seen.kind === "file") fail("under-file");
      const known = anywhere(up);
      if (known && lastOf(known.path) !== lastOf(up)) fail("directory-spelling");
    }
    checkPlaces(path, parts, entry, isBase, complete, inBelow, hives, fail);
    if (entry.type === "1") {
      const target = anywhere(entry.link);
      if (!isContent(path) || !isContent(entry.link)) fail("hardlink-place");
      else if (upper(entry.link) === upper(path)) fail("hardlink-target");
      else if (isBase ? !inOwn(entry.link) : complete && !target) fail("hardlink-target");
      else if (target?.kind === "directory") fail("hardlink-target");
      else if (inOwn(entry.link) && lastOf(inOwn(entry.link)?.path ?? "") !== lastOf(entry.link))
        fail("hardlink-spelling");
    } else checkRecords(entry, fail);
    if (hidden.some((each) => upper(each) === upper(path))) fail("whiteout-beside-entry");
    const kind = entry.type === "5" ? "directory" : entry.type === "2" ? "link" : "file";
    const raw = entry.pax.get("MSWINDOWS.rawsd");
    const described =
      raw === undefined ? (entry.pax.has("MSWINDOWS.sd") ? "own" : "none") : raw === stock ? "stock" : "own";
    if (inOwn(path)) fail("duplicate");
    else {
      const lower = inBelow(path);
      if (lower && lastOf(lower.path) !== name) fail(kind === "directory" ? "directory-spelling" : "file-spelling");
      if (lower?.kind === "directory" && kind === "directory" && lower.described === "own" && described !== "own")
        fail("directory-redescribed");
      // The first spelling stays.
      const spelled = lower ? [...parts.slice(0, -1), lastOf(lower.path)].join("/") : path;
      own.push({ path: spelled, kind, described });
    }
    if (entry.type === "0") lastFile = path;
  }
  if (isBase) {
    if (config.some((hive) => !hives.has(hive))) fail("base-hive-missing");
    if (hasVmFiles && !hives.has("BCD")) fail("utilityvm-bcd");
  } else {
    const begins = clean[0] === "Hives" || clean[0] === "Files";
    if (!begins || !clean.includes("Hives") || !clean.includes("Files")) fail("first-entries");
  }
  // What was deleted, and what lay below a folder that is none any more, is gone.
  const gone = [...hidden, ...own.filter(({ kind }) => kind !== "directory").map(({ path }) => path)];
  const kept = below.filter(({ path }) => {
    if (own.some((each) => upper(each.path) === upper(path))) return false;
    if (hidden.some((each) => upper(each) === upper(path))) return false;
    return !gone.some((each) => upper(path).startsWith(`${upper(each)}/`));
  });
  return { hives, now: [...kept, ...own] };
}

function checkPlaces(
  path: string,
  parts: string[],
  entry: Entry,
  isBase: boolean,
  complete: boolean,
  inBelow: (path: string) => Known | undefined,
  hives: Set<string>,
  fail: (rule: string) => void,
) {
  if (/^Files\/(?:System Volume Information|WcSandboxState|\$Recycle\.Bin)(?:\/|$)/i.test(path)) fail("never-content");
  const isDelta = !isBase && parts.length === 2 && deltas.some((each) => upper(`Hives/${each}`) === upper(path));
  if (isHostFile(parts)) fail("host-file");
  else if (parts[0] === "Hives" && isBase) fail("base-hives-folder");
  else if (parts[0] === "Hives" && parts.length > 1 && !isDelta) fail("hives-unknown");
  if (parts[0] === "UtilityVM" && !isBase) {
    if (parts.length > 1 && parts[1] !== "Files") fail("utilityvm-place");
    if (parts.length === 1) {
      fail("utilityvm-cim");
      if (complete && !inBelow("UtilityVM")) fail("utilityvm-parent");
    }
  }
  const hive = config.find((each) => upper(path) === upper(`Files/Windows/System32/config/${each}`));
  const isNoFile = entry.type === "2" || entry.type === "5";
  if (isDelta) {
    hives.add(upper(lastName(parts)));
    if (isNoFile) fail("delta-unreadable");
    if (entry.type === "0") checkDelta(entry.body, upper(lastName(parts)) === "SYSTEM_DELTA", fail);
  } else if (isBase && hive !== undefined) {
    hives.add(hive);
    if (isNoFile) fail("base-hive-broken");
    if (entry.type === "0") checkWhole(entry.body, "base-hive-broken", fail);
  } else if (isBase && upper(path) === upper("UtilityVM/Files/EFI/Microsoft/Boot/BCD")) {
    hives.add("BCD");
    if (isNoFile) fail("utilityvm-bcd");
    if (entry.type === "0") checkWhole(entry.body, "utilityvm-bcd", fail);
  }
}

const lastName = (parts: string[]) => parts[parts.length - 1] ?? "";

function isHostFile(parts: string[]): boolean {
  const last = upper(lastName(parts));
  if (last.endsWith(".$WCIDIRS$")) return true;
  if (parts.length === 2 && parts[0] === "Hives") return last.endsWith("_BASE");
  const names =
    "tombstones.txt blank.vhdx blank-base.vhdx sandbox.vhdx layout bcd.bak bcd.log.bak bcd.log1.bak bcd.log2.bak";
  const all = `${names} layerchain.json layerId uvmbuildversion`.split(" ").map(upper);
  return parts.length === 1 && (all.includes(last) || (last.startsWith("SYSTEMTEMPLATE") && last.endsWith(".VHDX")));
}

function isContent(path: string): boolean {
  return /^Files\/./.test(path) || /^UtilityVM\/Files\/./.test(path);
}

function isLegal(name: string): boolean {
  for (const letter of name) {
    const code = letter.codePointAt(0) ?? 0;
    if (code < 32 || '<>:"|?*\\'.includes(letter) || (code >= 0xd800 && code < 0xe000)) return false;
  }
  if (name.endsWith(".") || name.endsWith(" ")) return false;
  const stem = upper((name.split(".")[0] ?? "").replace(/ +$/, ""));
  if (["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].includes(stem)) return false;
  return !/^(?:COM|LPT)[1-9¹²³]$/.test(stem);
}

function checkRecords({ type, link, pax }: Entry, fail: (rule: string) => void) {
  const attributes = pax.get("MSWINDOWS.fileattr");
  if (attributes !== undefined) {
    const value = Number(attributes);
    if (!/^\d{1,10}$/.test(attributes) || value > 4294967295) fail("fileattr");
    else {
      const directory = Math.floor(value / 16) % 2 === 1;
      const reparse = Math.floor(value / 1024) % 2 === 1;
      if ((type === "5" && !directory) || (type === "0" && directory)) fail("fileattr-type");
      if (reparse !== (type === "2")) fail("fileattr-link");
    }
  }
  const raw = pax.get("MSWINDOWS.rawsd");
  if (raw !== undefined && !isDescriptor(raw)) fail("rawsd");
  const sddl = pax.get("MSWINDOWS.sd");
  if (sddl !== undefined && !/^(?:[OGDS]:[^:]*)*$/.test(sddl)) fail("sd");
  if (pax.has("MSWINDOWS.mountpoint") && type !== "2") fail("mountpoint");
  for (const [key, value] of pax) {
    if (!key.startsWith("MSWINDOWS.xattr.")) continue;
    const name = key.slice("MSWINDOWS.xattr.".length);
    const isRight = isBase64(value) && Buffer.from(value, "base64").length <= 65535;
    if (name.length === 0 || Buffer.from(name).length > 255 || !isRight) fail("ea");
  }
  for (const [key, rule] of [
    ["LIBARCHIVE.creationtime", "creationtime"],
    ["mtime", "time"],
    ["atime", "time"],
    ["ctime", "time"],
  ] as const) {
    const time = pax.get(key);
    if (time === undefined || (time === "" && rule === "time")) continue;
    const [seconds = "", fraction, ...rest] = time.split(".");
    if (!/^-?\d{1,16}$/.test(seconds) || (fraction !== undefined && !/^\d+$/.test(fraction)) || rest.length > 0)
      fail(rule);
    else if (Number(seconds) < -11644473600 || Number(seconds) >= 910670515200 || (fraction ?? "").length > 9)
      fail("time-range");
  }
  if (type !== "2") return;
  if (link === "") fail("link-target");
  else {
    if (link.startsWith("Files/") || link.startsWith("Files\\")) fail("link-prefix");
    const target = link.replaceAll("/", "\\");
    if (
      pax.has("MSWINDOWS.mountpoint") &&
      !/^[A-Za-z]:\\/.test(target) &&
      !target.startsWith("\\\\") &&
      !target.startsWith("\\?")
    )
      fail("junction-target");
  }
}

function isBase64(text: string): boolean {
  return Buffer.from(text, "base64").toString("base64") === text;
}

function isDescriptor(text: string): boolean {
  if (!isBase64(text)) return false;
  const bytes = Buffer.from(text, "base64");
  try {
    if (bytes.readUInt8(0) !== 1 || (bytes.readUInt16LE(2) & 0x8000) === 0) return false;
    for (const at of [4, 8]) {
      const sid = bytes.readUInt32LE(at);
      if (sid !== 0 && sid + 8 + 4 * bytes.readUInt8(sid + 1) > bytes.length) return false;
    }
    for (const [at, bit] of [
      [12, 16],
      [16, 4],
    ] as const) {
      const acl = bytes.readUInt32LE(at);
      if (acl !== 0 && (bytes.readUInt16LE(2) & bit) !== 0 && acl + bytes.readUInt16LE(acl + 2) > bytes.length)
        return false;
    }
    return true;
  } catch {
    return false;
  }
}

/** Members as they stand, with their PAX records. Throws for what is cut. */
function readTar(tar: Buffer): Entry[] {
  const entries: Entry[] = [];
  let pax = new Map<string, string>();
  let at = 0;
  for (;;) {
    if (at + 512 > tar.length) {
      // Without its end a tar is one too, when it ends behind an entry.
      if (at === tar.length && at > 0) break;
      throw new Error("cut");
    }
    const block = tar.subarray(at, at + 512);
    if (block.every((byte) => byte === 0)) break;
    const text = (from: number, length: number) => block.toString("utf8", from, from + length).split("\0")[0] ?? "";
    const type = text(156, 1) || "0";
    const size = Number.parseInt(text(124, 12) || "0", 8);
    const body = tar.subarray(at + 512, at + 512 + size);
    if (body.length < size) throw new Error("cut");
    at += 512 + Math.ceil(size / 512) * 512;
    if (type === "x") {
      pax = new Map();
      for (let from = 0; from < body.length; ) {
        const length = Number.parseInt(body.toString("latin1", from), 10);
        const record = body.toString("utf8", body.indexOf(" ", from) + 1, from + length - 1);
        pax.set(record.slice(0, record.indexOf("=")), record.slice(record.indexOf("=") + 1));
        from += length;
      }
      continue;
    }
    const name = pax.get("path") ?? text(0, 100);
    entries.push({ name, type, size, link: pax.get("linkpath") ?? text(157, 100), pax, body });
    pax = new Map();
  }
  return entries;
}
