declare module "spdx-expression-parse" {
  /** A parsed SPDX expression, as the package returns it. */
  export type SpdxNode =
    | { readonly license: string; readonly plus?: true; readonly exception?: string }
    | { readonly conjunction: "and" | "or"; readonly left: SpdxNode; readonly right: SpdxNode };
  /** Throws on anything that is not a valid SPDX expression. */
  export default function parse(expression: string): SpdxNode;
}

declare module "spdx-correct" {
  /** The SPDX identifier that was probably meant, or null. */
  export default function correct(identifier: string, options?: { upgrade?: boolean }): string | null;
}
