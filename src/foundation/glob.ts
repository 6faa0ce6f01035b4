/** The source of a regular expression for a name in which `*` stands for any characters; it has no anchors. */
export function globExpression(glob: string): string {
  return glob
    .split("*")
    .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
    .join(".*");
}
