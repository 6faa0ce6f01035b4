/** What is taken out of kept documents after all were compared: spans of text, by stage, and documents of which too little is left. */
import type { Rejection, TextEdit } from "./document.ts";

/** Documents, by their index in the build, with their texts as revised so far. */
export type Texts = AsyncIterable<{ readonly document: number; readonly text: string }>;

/** The revisions of a build. Memory: by what is removed, not by the corpus. */
export class Revisions {
  private readonly edits = new Map<number, TextEdit[]>();
  private readonly rejections = new Map<number, Rejection>();

  /** Takes spans out of a document; `text` is what it was before. Spans are in ascending order and do not overlap. */
  edit(document: number, edit: TextEdit): void {
    const known = this.edits.get(document);
    if (known === undefined) this.edits.set(document, [edit]);
    else known.push(edit);
  }

  /** Takes a whole document out. The first reason stays. */
  reject(document: number, rejection: Rejection): void {
    if (!this.rejections.has(document)) this.rejections.set(document, rejection);
  }

  editsOf(document: number): readonly TextEdit[] {
    return this.edits.get(document) ?? [];
  }

  rejectionOf(document: number): Rejection | undefined {
    return this.rejections.get(document);
  }

  /** The document's text after all edits so far. */
  apply(document: number, text: string): string {
    return this.editsOf(document).reduce(withoutSpans, text);
  }
}

/** `text` without the spans of an edit; what is left is joined by the edit's glue. */
export function withoutSpans(text: string, { spans, glue }: TextEdit): string {
  const pieces: string[] = [];
  let from = 0;
  for (const [start, end] of spans) {
    pieces.push(text.slice(from, start));
    from = end;
  }
  pieces.push(text.slice(from));
  return glue === ""
    ? pieces.join("")
    : pieces
        .map((piece) => piece.trim())
        .filter((piece) => piece !== "")
        .join(glue);
}
