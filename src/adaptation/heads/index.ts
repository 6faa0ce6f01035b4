/** Classification heads on models of text and of pictures. */
export type { ClassLogits, HeadNames } from "./head.ts";
export { ImageHead } from "./image-head.ts";
export { readTextHead } from "./read-head.ts";
export { TextHead, type TextTask, textTasks } from "./text-heads.ts";
