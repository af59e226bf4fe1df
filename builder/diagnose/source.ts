/** Places in a text: what an error points at. Lines and columns start at 1, columns count UTF-16 units. */

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** End is one past the last character. */
export interface Span {
  readonly start: Position;
  readonly end: Position;
}

export interface SourceText {
  /** As people know it: the path they gave, or "-" for standard input. */
  readonly name: string;
  readonly text: string;
}
