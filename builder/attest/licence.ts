/** What packages say of their licence → an SPDX licence expression (SPDX 2.3, annex D); other words become LicenseRefs. */
import { createHash } from "node:crypto";

/** Identifiers of the SPDX licence list that packages in images have; one that is not here becomes a LicenseRef. */
const known = new Map(
  (
    "0BSD AFL-2.1 AFL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 Artistic-1.0 Artistic-1.0-Perl Artistic-2.0 " +
    "BSD-1-Clause BSD-2-Clause BSD-3-Clause BSD-4-Clause BSD-4-Clause-UC BSL-1.0 Beerware BlueOak-1.0.0 bzip2-1.0.6 CC-BY-3.0 " +
    "CC-BY-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 CDDL-1.0 CDDL-1.1 CECILL-2.1 curl EPL-1.0 EPL-2.0 EUPL-1.2 FSFAP FSFUL FSFULLR " +
    "FTL GFDL-1.1-or-later GFDL-1.2-only GFDL-1.2-or-later GFDL-1.3-only GFDL-1.3-or-later GPL-1.0-only GPL-1.0-or-later " +
    "GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later HPND HPND-sell-variant ICU IJG IPL-1.0 ISC JSON LGPL-2.0-only " +
    "LGPL-2.0-or-later LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later LPPL-1.3c Libpng MIT MIT-0 MIT-CMU " +
    "MPL-1.1 MPL-2.0 MS-PL MulanPSL-2.0 NCSA NTP OFL-1.1 OLDAP-2.8 OpenSSL PHP-3.01 PSF-2.0 PostgreSQL Python-2.0 Python-2.0.1 " +
    "Ruby SGI-B-2.0 SISSL SMLNJ SSH-OpenSSH SSPL-1.0 Sleepycat TCL Unicode-3.0 Unicode-DFS-2016 Unlicense Vim W3C WTFPL X11 " +
    "XFree86-1.1 ZPL-2.1 Zlib bcrypt-Solar-Designer blessing libtiff zlib-acknowledgement"
  )
    .split(" ")
    .map((id) => [id.toLowerCase(), id]),
);
/** Of old, deprecated but still identifiers. */
for (const family of ["GPL-1.0", "GPL-2.0", "GPL-3.0", "LGPL-2.0", "LGPL-2.1", "LGPL-3.0", "AGPL-3.0"])
  known.set(family.toLowerCase(), family);

const exceptions = new Map(
  "Autoconf-exception-2.0 Autoconf-exception-3.0 Bison-exception-2.2 Classpath-exception-2.0 Font-exception-2.0 GCC-exception-2.0 GCC-exception-3.1 LLVM-exception Libtool-exception Linux-syscall-note OCaml-LGPL-linking-exception openvpn-openssl-exception Swift-exception"
    .split(" ")
    .map((id) => [id.toLowerCase(), id]),
);

export interface LicenceText {
  readonly licenseId: string;
  readonly extractedText: string;
}

/** The expression and the texts that its LicenseRefs stand for. */
export function licenceExpression(text: string): { expression: string; extracted: LicenceText[] } {
  const extracted: LicenceText[] = [];
  const reference = (words: string) => {
    const clean = words.replace(/[^A-Za-z0-9.-]+/g, "-").slice(0, 60);
    const sum = createHash("sha256").update(words).digest("hex").slice(0, 8);
    const licenseId = clean === words ? `LicenseRef-${clean}` : `LicenseRef-${clean}-${sum}`;
    if (!extracted.some((one) => one.licenseId === licenseId)) extracted.push({ licenseId, extractedText: words });
    return licenseId;
  };
  const tokens = text.match(/[()]|[^\s()]+/g) ?? [];
  const written = isExpression(tokens) ? write(tokens, reference) : undefined;
  if (written !== undefined) return { expression: written, extracted };
  extracted.length = 0;
  return { expression: reference(text), extracted };
}

const operator = (token: string | undefined) => /^(?:and|or|with)$/i.test(token ?? "");

/** Do operands and operators take turns, and parentheses match? */
function isExpression(tokens: readonly string[]): boolean {
  let depth = 0;
  let wantsOperand = true;
  if (tokens.length === 0 || tokens.length > 500) return false;
  for (const token of tokens) {
    if (token === "(" ? !wantsOperand : token === ")" ? wantsOperand : operator(token) === wantsOperand) return false;
    if (token === "(") depth++;
    else if (token === ")") {
      if (--depth < 0) return false;
    } else wantsOperand = operator(token);
  }
  return depth === 0 && !wantsOperand;
}

/** Undefined for an exception that SPDX does not know: it cannot be part of an expression. */
function write(tokens: readonly string[], reference: (words: string) => string): string | undefined {
  const words: string[] = [];
  for (const [i, token] of tokens.entries()) {
    if (token === "(" || token === ")") words.push(token);
    else if (operator(token)) words.push(token.toUpperCase());
    else if (/^with$/i.test(tokens[i - 1] ?? "")) {
      const exception = exceptions.get(token.toLowerCase());
      if (exception === undefined || known.get((tokens[i - 2] ?? "").replace(/\+$/, "").toLowerCase()) === undefined)
        return undefined;
      words.push(exception);
    } else {
      const isLater = token.endsWith("+");
      const id = known.get((isLater ? token.slice(0, -1) : token).toLowerCase());
      words.push(id === undefined ? reference(token) : `${id}${isLater ? "+" : ""}`);
    }
  }
  return words.join(" ").replaceAll("( ", "(").replaceAll(" )", ")");
}
