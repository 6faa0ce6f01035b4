/** Checkpoints: a Hugging Face folder plus `training-state/`, taken at a step boundary, written while steps go on. */
export { amendCheckpoint } from "./amend.ts";
export { latestCheckpoint, removeUnfinishedCheckpoints, verifyCheckpoint } from "./integrity.ts";
export { averagedFolder, checkpointNames, checkpointPath, checkpointsFolder } from "./places.ts";
export { restoreCheckpoint } from "./restore.ts";
export { type RetentionPolicy, retained } from "./retention.ts";
export { type CheckpointFiles, type Snapshot, SnapshotMemory, type TrainingState, takeSnapshot } from "./snapshot.ts";
export { type RunState, readState } from "./state.ts";
export { writeSnapshot } from "./write.ts";
export { CheckpointWriter, type Written } from "./writer.ts";
