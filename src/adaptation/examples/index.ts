/** Examples of every kind, read and checked. */

export { imageExamples, type LabelledPictures } from "./image-examples.ts";
export {
  type ClassifiedText,
  type ClassifiedWords,
  classesOf,
  classNumbers,
  type LabelFields,
  labelledTexts,
  labelledWords,
} from "./labelled.ts";
export { maskedFrom, type PromptResponse, promptExample, promptResponses } from "./prompts.ts";
export { balancedDraw, type HeldOut, heldOut } from "./split.ts";
export { framed, textExamples, textRows, wordRows } from "./text-examples.ts";
