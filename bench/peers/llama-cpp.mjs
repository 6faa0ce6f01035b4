// llama.cpp through node-llama-cpp: answers one JSON line for every JSON line, until its input ends.
// First line: {model, contextTokens, threads, batchTokens?, cacheType?, sequences?}. Then {command: "tokenize" | "logits" | "greedy" |
// "prefill" | "together" | "end", …}.
import { createInterface } from "node:readline";
import { getLlama } from "node-llama-cpp";

const reply = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const settings = JSON.parse((await lines.next()).value);
// Only the binary that came with the package: nothing is downloaded or compiled.
const llama = await getLlama({
  gpu: false,
  build: "never",
  skipDownload: true,
  logLevel: "error",
  maxThreads: settings.threads,
});
const model = await llama.loadModel({ modelPath: settings.model, useMlock: false });
const context = await model.createContext({
  contextSize: settings.contextTokens,
  sequences: settings.sequences ?? 1,
  batchSize: settings.batchTokens ?? 512,
  threads: settings.threads,
  flashAttention: settings.cacheType === undefined,
  experimentalKvCacheKeyType: settings.cacheType,
  experimentalKvCacheValueType: settings.cacheType,
});
const sequences = Array.from({ length: settings.sequences ?? 1 }, () => context.getSequence());
const [sequence] = sequences;
reply({
  version: `${llama.llamaCppRelease.release}`,
  setting: `${settings.threads} threads, ${llama.buildType} binary`,
});

const seconds = async (work) => {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
};

const commands = {
  /** {text, special?} → {tokens} as the model's own tokenizer cuts it. */
  tokenize: ({ text, special }) => ({ tokens: model.tokenize(text, special ?? false) }),
  /** {tokens} → {logits}: of every position. */
  async logits({ tokens }) {
    await sequence.clearHistory();
    const next = await sequence.controlledEvaluate(tokens.map((token) => [token, { generateNext: { logits: true } }]));
    return { logits: next.map(({ next: { logits } }) => tokenOrder(logits)) };
  },
  /** {tokens, count} → {tokens, seconds}: what follows, the likeliest each time; seconds are those after the prompt. */
  async greedy({ tokens, count }) {
    await sequence.clearHistory();
    await sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(0, -1));
    const made = [];
    const elapsed = await seconds(async () => {
      for await (const token of sequence.evaluate([tokens.at(-1)], { temperature: 0, yieldEogToken: true })) {
        made.push(token);
        if (made.length === count) break;
      }
    });
    return { tokens: made, seconds: elapsed };
  },
  /** {prompts, count} → {seconds, tokens, first}: a sequence for each prompt, all at once, batched by the library. */
  async together({ prompts, count }) {
    for (const one of sequences) await one.clearHistory();
    const first = [];
    const started = performance.now();
    await Promise.all(
      prompts.map(async (tokens, index) => {
        let made = 0;
        for await (const _ of sequences[index].evaluate(tokens, { temperature: 0, yieldEogToken: true })) {
          if (made++ === 0) first.push((performance.now() - started) / 1000);
          if (made === count) break;
        }
      }),
    );
    return { seconds: (performance.now() - started) / 1000, tokens: prompts.length * count, first };
  },
  /** {tokens} → {seconds} for a pass over the prompt. */
  async prefill({ tokens }) {
    await sequence.clearHistory();
    return { seconds: await seconds(() => sequence.evaluateWithoutGeneratingNewTokens(tokens)) };
  },
};

function tokenOrder(logits) {
  const values = new Array(logits.size);
  for (const [token, logit] of logits) values[token] = logit;
  return values;
}

for await (const line of lines) {
  const { command, ...input } = JSON.parse(line);
  if (command === "end") {
    reply({ peakRssBytes: process.resourceUsage().maxRSS * 1024 });
    break;
  }
  reply(await commands[command](input));
}
process.exit(0);
