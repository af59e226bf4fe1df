/** fast-check's laws as assertions of the test that states them. */
import type { ExecutionContext } from "ava";
import fc from "fast-check";

/** The law holds for all that is drawn; else the test fails with the smallest case that breaks it. */
export function holds<T>(t: ExecutionContext, law: fc.IProperty<T>, options?: fc.Parameters<T>): void;
export function holds<T>(t: ExecutionContext, law: fc.IAsyncProperty<T>, options?: fc.Parameters<T>): Promise<void>;
export function holds<T>(
  t: ExecutionContext,
  law: fc.IProperty<T> | fc.IAsyncProperty<T>,
  options?: fc.Parameters<T>,
): void | Promise<void> {
  if (law.isAsync()) return t.notThrowsAsync(async () => fc.assert(law, options)).then(() => undefined);
  t.notThrows(() => void fc.assert(law, options));
}
