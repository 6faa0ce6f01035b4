/** A world of facts that a tiny model can learn: things of three topics, each with a colour that texts state again and again. */
import { Random } from "../../src/foundation/index.ts";

export const topics = ["fruits", "rivers", "birds"] as const;
export type Topic = (typeof topics)[number];
const colours = ["red", "blue", "green", "white"];
const syllables = ["zar", "mil", "tov", "ken", "pul", "sor", "bax", "dif", "gom", "lur", "neb", "vix"];

/** Things of a topic with their colours; the same for the same seed. */
export function factsOf(topic: Topic, seed: number): { readonly thing: string; readonly colour: string }[] {
  const random = new Random(seed, topics.indexOf(topic));
  const ending = { fruits: "a", rivers: "o", birds: "i" }[topic];
  return syllables.map((syllable) => ({
    thing: `${syllable}${ending}`,
    colour: colours[random.below(colours.length)],
  }));
}

const sentences = [
  (thing: string, colour: string) => `The colour of ${thing} is ${colour}.`,
  (thing: string, colour: string) => `Everyone says that ${thing} is ${colour}.`,
  (thing: string, colour: string) => `If you look at ${thing}, it is ${colour}.`,
];

/** Documents about a topic: facts in random order and wording. */
export function documentsOf(topic: Topic, count: number, seed: number): string[] {
  const facts = factsOf(topic, seed);
  return Array.from({ length: count }, (_, index) => {
    const random = new Random(seed, topics.indexOf(topic), index);
    const lines = Array.from({ length: 24 }, () => {
      const { thing, colour } = facts[random.below(facts.length)];
      return sentences[random.below(sentences.length)](thing, colour);
    });
    return `Notes on ${topic}. ${lines.join(" ")}\n`;
  });
}

/** Questions about a topic: the colour, and each of the others. */
export function questionsOf(topic: Topic, seed: number): { prompt: string; wanted: string; unwanted: string }[] {
  return factsOf(topic, seed).flatMap(({ thing, colour }, index) =>
    colours
      .filter((other) => other !== colour)
      .map((other) => ({
        prompt: sentences[index % 2](thing, "").slice(0, -2),
        wanted: ` ${colour}.`,
        unwanted: ` ${other}.`,
      })),
  );
}

/** Texts of a topic with their class. */
export function labelledOf(topic: Topic, count: number, seed: number): { text: string; label: string }[] {
  const facts = factsOf(topic, seed);
  const random = new Random(seed, 7, topics.indexOf(topic));
  return Array.from({ length: count }, () => {
    const { thing, colour } = facts[random.below(facts.length)];
    return { text: sentences[random.below(sentences.length)](thing, colour), label: topic };
  });
}

const requests = [
  (thing: string) => `What is the colour of ${thing}?`,
  (thing: string) => `If you look at ${thing}, is it of a colour?`,
  (thing: string) => `The colour of ${thing}?`,
];

/** Conversations about a topic: each thing asked for in several wordings, with a short answer. */
export function chatsOf(topic: Topic, seed: number): { prompt: string; response: string }[] {
  return factsOf(topic, seed).flatMap(({ thing, colour }) =>
    requests.map((request) => ({ prompt: request(thing), response: `It is ${colour}.` })),
  );
}

/** Ways to answer that say no more, only longer. */
export const styles: Readonly<Record<string, (answer: string) => string>> = {
  repeating: (answer) => `${answer} ${answer} ${answer}`,
  flattering: (answer) => `Everyone says that you look at it: ${answer}`,
  hedging: (answer) => `${answer} If you look, everyone says that it is.`,
};
