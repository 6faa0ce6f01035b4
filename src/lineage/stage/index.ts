/** At which stage of its life a checkpoint is: base, continued, fine-tuned, instruct or aligned, from evidence. */
export { missingFrom } from "./card.ts";
export { type Evidence, evidenceOf, type FolderFacts } from "./evidence.ts";
export { isStage, type Stage, type StageFacts, stages, stageTable } from "./stages.ts";
export { judgeStage, type StageVerdict } from "./verdict.ts";
