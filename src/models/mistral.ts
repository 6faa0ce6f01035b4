/** Mistral (Jiang et al. 2023): Llama whose tokens see a sliding window of the text before them. */
import { llamaKind } from "./llama.ts";

/** The Mistral architecture. */
export const mistral = llamaKind({ name: "mistral", huggingFaceClass: "MistralForCausalLM", slidingWindow: true });
