/** BuildEvent: all that a build says while it runs. The faces (tty, plain, json, rawjson, quiet) are functions of this stream. */

export interface StepName {
  /** Content-addressed id of the node, or a name such as "export" for work that is no node. */
  readonly id: string;
  /** As people read it: `[build 2/5] RUN make`. */
  readonly title: string;
}

export type BuildEvent =
  | { readonly kind: "plan"; readonly steps: readonly StepName[] }
  | { readonly kind: "start"; readonly step: StepName; readonly at: number }
  | {
      readonly kind: "output";
      readonly id: string;
      readonly stream: "stdout" | "stderr";
      readonly text: string;
      readonly at: number;
    }
  /** Bytes (or, where unit says so, items) done of a total; total undefined when not known. */
  | {
      readonly kind: "progress";
      readonly id: string;
      readonly label: string;
      readonly done: number;
      readonly total?: number;
      readonly unit: "bytes" | "items";
      /** Nothing of it had to move, and why. */
      readonly note?: string;
      readonly at: number;
    }
  | {
      readonly kind: "done";
      readonly id: string;
      readonly cached: boolean;
      readonly at: number;
      readonly note?: string;
    }
  | { readonly kind: "failed"; readonly id: string; readonly message: string; readonly at: number }
  | { readonly kind: "canceled"; readonly id: string; readonly at: number }
  | {
      readonly kind: "warning";
      readonly text: string;
      readonly span?: { readonly file: string; readonly line: number };
      /** Of a build check: its published name, which the text begins with, and its page. */
      readonly rule?: string;
      readonly url?: string;
      readonly at: number;
    };

/** `at` is milliseconds since 1970. A reporter never throws and never blocks the build. */
export type Report = (event: BuildEvent) => void;

export type ProgressMode = "auto" | "tty" | "plain" | "json" | "rawjson" | "quiet";

/** A face of the stream. `close` flushes and leaves the terminal clean; it is called once, also after a failure. */
export interface ProgressFace {
  readonly report: Report;
  close(): void;
}
