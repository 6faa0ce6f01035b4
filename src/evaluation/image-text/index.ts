export { classifyZeroShot, meanDirection, promptsOf, promptTemplates, type ZeroShotResult } from "./zero-shot.ts";
