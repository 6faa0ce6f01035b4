/** Hashed n-grams of words and characters: what the classifier sees of a text. */
import { characterFlags, finaliseHash, lowerCase, UNSPACED, WORD_PART } from "../text/index.ts";

/** How texts become features. */
export interface FeatureSettings {
  /** Words in a row, from 1 to this. */
  readonly wordNgrams: number;
  /** Characters in a row within and across words; 0 leaves them out. */
  readonly characterNgrams: number;
  /** Weights: a power of two. n-grams that share one by their hash share its weight. */
  readonly buckets: number;
  /** Only the beginning of a longer text is looked at. */
  readonly maximumCharacters: number;
}

/** n-grams of different kinds and lengths must not share their hashes. */
const characterSeed = 0x2545f491;

/** Finds the features of texts; the scratch memory is reused from text to text. */
export class FeatureReader {
  private readonly seen: Uint8Array;
  private found = new Int32Array(4096);
  private count = 0;

  constructor(private readonly settings: FeatureSettings) {
    this.seen = new Uint8Array(settings.buckets);
  }

  /** The distinct buckets of the text, in the order of first occurrence. */
  read(text: string): Int32Array {
    this.count = 0;
    this.addNgrams(text);
    for (let index = 0; index < this.count; index++) this.seen[this.found[index]] = 0;
    return this.found.slice(0, this.count);
  }

  private addNgrams(text: string): void {
    const { wordNgrams, characterNgrams, maximumCharacters } = this.settings;
    const length = Math.min(text.length, maximumCharacters);
    const previous = new Int32Array(Math.max(1, wordNgrams - 1));
    let words = 0;
    let hash = 0;
    let inWord = false;
    const window = new Int32Array(Math.max(1, characterNgrams));
    let characters = 0;
    const endWord = () => {
      inWord = false;
      let gram = finaliseHash(hash);
      const word = gram;
      this.add(gram);
      for (let back = 1; back < wordNgrams && back <= words; back++) {
        gram = finaliseHash(Math.imul(gram, 0x9e3779b1) ^ previous[(words - back) % previous.length]);
        this.add(gram);
      }
      previous[words % previous.length] = word;
      words++;
    };
    for (let index = 0; index < length; index++) {
      const unit = lowerCase[text.charCodeAt(index)];
      const flags = characterFlags[unit];
      const isPart = (flags & WORD_PART) !== 0;
      if (inWord && (!isPart || flags & UNSPACED)) endWord();
      if (isPart) {
        if (!inWord) hash = 0x811c9dc5 | 0;
        inWord = true;
        hash = Math.imul(hash ^ unit, 0x01000193);
      }
      if (characterNgrams === 0) continue;
      // White space of any kind and length is one blank.
      const shown = Math.max(unit, 32);
      if (shown === 32 && characters > 0 && window[(characters - 1) % characterNgrams] === 32) continue;
      window[characters % characterNgrams] = shown;
      characters++;
      if (characters < characterNgrams) continue;
      let gram = characterSeed;
      for (let at = characters - characterNgrams; at < characters; at++) {
        gram = Math.imul(gram ^ window[at % characterNgrams], 0x01000193);
      }
      this.add(finaliseHash(gram));
    }
    if (inWord) endWord();
  }

  private add(hash: number): void {
    const bucket = hash & (this.settings.buckets - 1);
    if (this.seen[bucket] === 1) return;
    this.seen[bucket] = 1;
    if (this.count === this.found.length) {
      const larger = new Int32Array(this.found.length * 2);
      larger.set(this.found);
      this.found = larger;
    }
    this.found[this.count++] = bucket;
  }
}
