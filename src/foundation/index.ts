/** What every room needs: errors, atomic files, keyed randomness, progress. Imports nothing of Tilth. */
export * from "./bootstrap.ts";
export * from "./compiler.ts";
export * from "./errors.ts";
export * from "./files.ts";
export * from "./freed-memory.ts";
export * from "./garbage.ts";
export * from "./glob.ts";
export * from "./html.ts";
export * from "./http.ts";
export * from "./native-library.ts";
export * from "./plugins.ts";
export * from "./progress.ts";
export * from "./quantile.ts";
export * from "./random.ts";
export * from "./schema.ts";
export * from "./workers.ts";
