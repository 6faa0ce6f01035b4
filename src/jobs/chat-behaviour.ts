/** Does a model behave as an assistant? Measured: what a turn's end costs it in a chat format, and whether it ends its answers. */
import { ChatTemplate, type Continuation, logProbabilities } from "../adaptation/index.ts";
import { readTokenizerSettings } from "../export/index.ts";
import { generateBatch } from "../generation/index.ts";
import type { Evidence } from "../lineage/index.ts";
import { chatTemplateFor } from "./adapt-chat.ts";
import { loadModel } from "./checkpoint-reader.ts";
import { openDevice } from "./device.ts";
import type { DeviceOptions, Job } from "./job.ts";

export interface ChatBehaviourInput {
  readonly checkpoint: string;
  readonly device: DeviceOptions;
}

/** Neutral requests with answers that any assistant might give. */
const conversations = [
  ["What colour is the sky on a clear day?", "The sky is blue on a clear day."],
  ["How many days are there in a week?", "There are seven days in a week."],
  ["Name a fruit.", "An apple is a fruit."],
  ["Write a short greeting.", "Hello, it is nice to meet you."],
  ["What do bees make?", "Bees make honey."],
  ["Is ice cold?", "Yes, ice is cold."],
] as const;

/** Formats in plain words, tried where a checkpoint has no template of its own. */
const plainFormats: Readonly<Record<string, string>> = {
  "### User / ### Assistant": format("'### User:\\n' + text + '\\n\\n'", "### Assistant:\\n"),
  "### Instruction / ### Response": format("'### Instruction:\\n' + text + '\\n\\n'", "### Response:\\n"),
  "User: / Assistant:": format("'User: ' + text + '\\n'", "Assistant:"),
};

function format(user: string, assistant: string): string {
  return [
    "{% for message in messages %}{% set text = message['content'] %}",
    `{% if message['role'] == 'user' %}{{ ${user} }}{% else %}{{ '${assistant}' }}{% generation %}{{ text + eos_token }}{% endgeneration %}{% endif %}{% endfor %}`,
    `{% if add_generation_prompt %}{{ '${assistant}' }}{% endif %}`,
  ].join("");
}

/** A turn's end costs a model that knows the format less than this, in nats a token; one that does not, more than that. */
const [known, strange] = [1, 3];
const answerTokens = 64;

export const chatBehaviourJob: Job<ChatBehaviourInput, never, Evidence[]> = {
  name: "chat-behaviour",
  async run({ checkpoint, device }) {
    const backend = await openDevice(device, () => {});
    try {
      const { engine, model, tokenizer } = loadModel(checkpoint, backend, "stored");
      if (model.architecture.family !== "decoder") return [];
      const own = readTokenizerSettings(checkpoint).chatTemplate !== undefined;
      const encode = (text: string) => tokenizer.encode(text, { allowSpecial: true });
      const end = [...tokenizer.specialTokens].find(([, id]) => id === tokenizer.endOfText)?.[0] ?? "";
      const templates = own
        ? { "its own format": chatTemplateFor(checkpoint, {}, tokenizer) }
        : Object.fromEntries(
            Object.entries(plainFormats).map(([name, source]) => [
              name,
              new ChatTemplate(source, { bos_token: end, eos_token: end }, name),
            ]),
          );

      /** Mean cost of the tokens from `from` on, nats. */
      const cost = async (given: readonly Continuation[]) => {
        const sums = await logProbabilities(engine, model, given);
        const tokens = given.reduce((sum, one) => sum + one.tokens.length - one.from, 0);
        return -sums.reduce((sum, one) => sum + one, 0) / tokens;
      };
      const withStart = (text: string) => {
        const ids = encode(text);
        return ids[0] === tokenizer.endOfText ? ids : Int32Array.of(tokenizer.endOfText, ...ids);
      };
      // What follows the same answer in running text: how readily the model ends a text anyway.
      const plain = await cost(
        conversations.map(([question, answer]) => {
          const before = withStart(`${question} ${answer}`);
          return { tokens: Int32Array.of(...before, tokenizer.endOfText), from: before.length };
        }),
      );
      const measured = [];
      for (const [name, template] of Object.entries(templates)) {
        const given = conversations.map(([user, assistant]) => {
          const { text, spans } = template.render([
            { role: "user", content: user },
            { role: "assistant", content: assistant },
          ]);
          const [, end] = spans.at(-1)!;
          const answerEnd = text.lastIndexOf(assistant) + assistant.length;
          const before = withStart(text.slice(0, answerEnd));
          return {
            tokens: Int32Array.of(...before, ...encode(text.slice(answerEnd, Math.max(end, answerEnd)).trimEnd())),
            from: before.length,
          };
        });
        if (given.some(({ tokens, from }) => tokens.length <= from)) continue;
        measured.push({ name, template, end: await cost(given), endToken: given[0].tokens[given[0].from] });
      }
      const best = measured.sort((a, b) => a.end - b.end)[0];
      if (best === undefined) return [];
      const prompts = conversations.map(([user]) => withStart(best.template.prompt([{ role: "user", content: user }])));
      const lengths = prompts.map(() => 0);
      const drawing = {
        maximumTokens: answerTokens,
        temperature: 0,
        topK: 0,
        topP: 1,
        seed: 1,
        endOfText: best.endToken,
      };
      for await (const { prompt } of generateBatch(engine, model, prompts, drawing)) lengths[prompt]++;
      const ended = lengths.filter((length) => length < answerTokens).length;
      return [evidenceFrom(best.name, own, best.end, plain), answersEvidence(ended, prompts.length, best.end)];
    } finally {
      backend.dispose();
    }
  },
};

function evidenceFrom(name: string, hasOwn: boolean, end: number, plain: number): Evidence {
  const figures = `in ${name} the end of a turn costs it ${end.toFixed(2)} nats a token, the end of the same text without a format ${plain.toFixed(2)}`;
  if (end < known && (hasOwn || plain - end > 1)) {
    return {
      kind: "behaviour",
      finding: `it knows a chat format: ${figures}`,
      weights: { instruct: 1.5, aligned: 1.4, base: -1, continued: -1 },
    };
  }
  if (end > strange) {
    return {
      kind: "behaviour",
      finding: `it knows no chat format that was tried: ${figures}`,
      weights: { instruct: -1.5, aligned: -1.5 },
    };
  }
  return { kind: "behaviour", finding: `it may know a chat format: ${figures}`, weights: {} };
}

function answersEvidence(ended: number, asked: number, end: number): Evidence {
  const finding = `of ${asked} neutral requests it ends ${ended} answers within ${answerTokens} tokens`;
  const assistant = ended >= asked / 2 && end < strange;
  return {
    kind: "behaviour",
    finding,
    weights: assistant ? { instruct: 0.5, aligned: 0.5 } : ended === 0 ? { instruct: -0.5, aligned: -0.5 } : {},
  };
}
