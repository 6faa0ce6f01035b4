/** Settings of two builds, held against each other leaf by leaf. */
import { canonicalJson } from "../../foundation/index.ts";
import type { SettingChange } from "./compare.ts";

/** Every setting that differs, by its path; lists count as one value. Undefined where one side has none. */
export function settingsDifferences(before: unknown, after: unknown, path = ""): SettingChange[] {
  if (isGroup(before) && isGroup(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return names.flatMap((name) =>
      settingsDifferences(before[name], after[name], path === "" ? name : `${path}.${name}`),
    );
  }
  const text = (value: unknown) => (value === undefined ? "" : canonicalJson(value));
  return text(before) === text(after) ? [] : [{ setting: path, before, after }];
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
