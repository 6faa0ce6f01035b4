/** The plan of a mixture: documents are encoded and counted, nothing is written. */
import { type MixturePlan, mixtureSettings, openDocumentStore } from "../corpus/index.ts";
import type { Progress } from "../foundation/index.ts";
import type { Job } from "./job.ts";
import { planShards } from "./shards.ts";
import { type TokenizeInput, tokenizerFor } from "./tokenize.ts";

/** Plans as `tokenizeJob` would write; without a mixture every document is seen once. */
export const planMixtureJob: Job<TokenizeInput, Progress, MixturePlan> = {
  name: "plan-mixture",
  async run(input, { emit }) {
    const store = await openDocumentStore(input.store);
    try {
      const tokenizer = await tokenizerFor(store, input, emit);
      const mixture = input.mixture ?? mixtureSettings.parse({});
      const { counts: _, ...plan } = await planShards(store, mixture, tokenizer, emit);
      return plan;
    } finally {
      store.close();
    }
  },
};
