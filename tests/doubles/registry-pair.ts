/** Two registries for all tests of a file: `near`, where images come from, and `far`, where they go. */
import test from "ava";
import { type RunningRegistry, startRegistry } from "./docker-registry.ts";

export async function registryPair(): Promise<{ readonly near: RunningRegistry; readonly far: RunningRegistry }> {
  const [near, far] = await Promise.all([startRegistry(), startRegistry()]);
  test.after.always(() => Promise.all([near.close(), far.close()]));
  return { near, far };
}
