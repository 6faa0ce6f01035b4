/** The library: what the CLI does, for programs. */
export * from "./adaptation/index.ts";
export * from "./cluster/index.ts";
export * from "./config/index.ts";
export * from "./corpus/index.ts";
export * from "./engine/index.ts";
export * from "./evaluation/index.ts";
export * from "./foundation/index.ts";
export * from "./generation/index.ts";
export * from "./models/index.ts";
export * from "./planner/index.ts";
export * from "./scaling/index.ts";
export * from "./tokenizer/index.ts";
export * from "./training/index.ts";
