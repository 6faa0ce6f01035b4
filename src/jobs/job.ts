/** Work that runs off the main thread, so that signals and pages are answered during a step. */
import type { Precision } from "../engine/index.ts";

/** What a job may do while it runs. */
export interface JobContext<Event> {
  emit(event: Event): void;
  /** True once the caller has asked it to stop; a job looks between steps. */
  shouldStop(): boolean;
}

/** A named piece of work. Input, events and output are plain data that can be sent between threads. */
export interface Job<Input, Event, Output> {
  readonly name: string;
  run(input: Input, context: JobContext<Event>): Promise<Output>;
}

/** Which machine a job computes on. */
export interface DeviceOptions {
  /** A backend's name, or `auto`: the native one where it can be built, else the reference. */
  readonly backend: string;
  readonly threads?: number;
  /** f32, bf16, or `auto`: bf16 where the processor multiplies in it. f32 if left out. */
  readonly precision?: Precision | "auto";
}
