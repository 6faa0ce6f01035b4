/** What of a checkpoint's folder stays true in another form: tokenizer, model card, reports; not weights and training state. */
import { copyFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Copies them from one folder to another. */
export function copySidecars(from: string, to: string): void {
  for (const file of readdirSync(from, { withFileTypes: true })) {
    if (file.isFile() && !isReplaced(file.name)) copyFileSync(join(from, file.name), join(to, file.name));
  }
}

/** Files that are written anew, or that would no longer be true. */
function isReplaced(name: string): boolean {
  return (
    name.endsWith(".safetensors") ||
    name.endsWith(".safetensors.index.json") ||
    ["config.json", "open_clip_config.json", "checksums.json", "lineage.json"].includes(name)
  );
}
