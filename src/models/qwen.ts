/**
 * Qwen 2 and 2.5 (Yang et al. 2024): Llama with biases of query, key and value. Qwen 3 (Yang et al. 2025): Llama whose query and
 * key heads are normalised before rotation; its head size is a setting of its own.
 */
import { llamaKind } from "./llama.ts";

/** The Qwen 2 architecture, 2.5 included. */
export const qwen2 = llamaKind({ name: "qwen2", huggingFaceClass: "Qwen2ForCausalLM", queryKeyValueBias: true });

/** The Qwen 3 architecture (dense). */
export const qwen3 = llamaKind({ name: "qwen3", huggingFaceClass: "Qwen3ForCausalLM", headNorms: true });
