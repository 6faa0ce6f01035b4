/** The kind of a document, from its file name alone. */
import type { DocumentKind } from "../document.ts";

const extensions: Readonly<Partial<Record<DocumentKind, readonly string[]>>> = {
  declarations: [".d.ts", ".d.mts", ".d.cts"],
  prose: [".md", ".markdown", ".mdown", ".mdx", ".txt", ".text", ".rst", ".adoc", ".asciidoc"],
  code: [
    ...[".ts", ".tsx", ".mts", ".cts", ".js", ".mjs", ".cjs", ".jsx", ".vue", ".svelte", ".css", ".scss", ".less"],
    ...[".py", ".pyi", ".rb", ".php", ".pl", ".pm", ".lua", ".r", ".jl", ".sh", ".bash", ".zsh", ".fish", ".ps1"],
    ...[".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx", ".cu", ".cuh", ".m", ".mm", ".rs", ".go", ".zig"],
    ...[".java", ".kt", ".kts", ".scala", ".groovy", ".cs", ".fs", ".swift", ".dart", ".hs", ".ml", ".mli", ".ex"],
    ...[".exs", ".erl", ".clj", ".el", ".lisp", ".scm", ".sql", ".proto", ".graphql", ".gql", ".cmake", ".nix", ".wat"],
  ],
  data: [
    ".json",
    ".jsonc",
    ".json5",
    ".yaml",
    ".yml",
    ".toml",
    ".ini",
    ".csv",
    ".tsv",
    ".xml",
    ".html",
    ".htm",
    ".xhtml",
    ".svg",
  ],
};

const kindByExtension = new Map<string, DocumentKind>(
  (Object.entries(extensions) as [DocumentKind, readonly string[]][]).flatMap(([kind, list]) =>
    list.map((extension) => [extension, kind] as const),
  ),
);

/** Files that are prose though they often have no extension. */
const proseNames =
  /^(readme|changelog|changes|history|licen[cs]e|copying|notice|authors|contributors|contributing|security|todo|install|unlicense|thirdparty[a-z]*|third-party[a-z-]*)$/i;

/** The kind of a file by its name (without folders), or undefined where no reader knows it. */
export function kindOfFile(name: string): DocumentKind | undefined {
  const lower = name.toLowerCase();
  const declaration = /\.d\.[mc]?ts$/.exec(lower);
  if (declaration !== null) return "declarations";
  const dot = lower.lastIndexOf(".");
  const known = dot > 0 ? kindByExtension.get(lower.slice(dot)) : undefined;
  if (known !== undefined) return known;
  // LICENSE-MIT, README.fr and COPYING.LESSER are prose, too; makefile-like names stay unknown.
  return proseNames.test(dot > 0 ? lower.slice(0, dot) : lower) || /^(licen[cs]e|copying)[-_.]/.test(lower)
    ? "prose"
    : undefined;
}

/** Whether a file holds a page whose main content can be read. */
export function isPage(name: string): boolean {
  return /\.x?html?$/i.test(name);
}
