// One pass over a text that finds its lines, words and characters: what src/corpus/filters/scan.ts specifies. Reads the
// text once; writes 13 bytes a word and 16 a line.
#include "words.h"

namespace {

constexpr uint8_t kBase64 = 32;
// A base64 run goes on over a line break only where an encoder would wrap.
constexpr int64_t kWrappedRun = 40, kLongLine = 1000, kShortestRun = 64;

}  // namespace

// Figures, in this order: words, lines, all lines, longest line, characters on long lines, characters, letters, digits,
// hashes, ellipses, curly braces, base64 characters, longest base64 run. Fills at most `word_capacity` words and
// `line_capacity` lines; the figures say how many there are.
TILTH_EXPORT void tilth_text_scan(const uint16_t* text, int64_t units, const uint8_t* flags, int32_t* word_starts, int32_t* word_ends,
                                  int32_t* word_hashes, uint8_t* word_flags, int64_t word_capacity, int32_t* line_starts,
                                  int32_t* line_ends, int32_t* line_words, int32_t* opens_paragraph, int64_t line_capacity,
                                  double* figures) {
  int64_t words = 0, lines = 0, all_lines = 0, longest_line = 0, long_line_characters = 0, characters = 0, letters = 0, digits = 0;
  int64_t hashes = 0, ellipses = 0, braces = 0, base64_characters = 0, longest_run = 0;
  int64_t word_start = -1, line_start = 0, words_before_line = 0, dots = 0, run = 0;
  // Of the line: where its first word starts and its last one ends.
  int64_t first_start = 0, last_end = 0;
  uint32_t hash = 0;
  uint8_t flags_of_word = 0, run_flags = 0;
  int32_t after_blank = 1;

  const auto end_run = [&] {
    if (run >= kShortestRun && run_flags == tilth::kWordPart) {
      base64_characters += run;
      if (run > longest_run) longest_run = run;
    }
    run = 0;
    run_flags = 0;
  };
  const auto end_word = [&](int64_t end) {
    if (words < word_capacity) {
      word_starts[words] = static_cast<int32_t>(word_start);
      word_ends[words] = static_cast<int32_t>(end);
      word_hashes[words] = static_cast<int32_t>(tilth::finalise(hash));
      word_flags[words] = flags_of_word;
    }
    if (words == words_before_line) first_start = word_start;
    last_end = end;
    words++;
    word_start = -1;
  };

  // One step more than the text has: the end closes a word and a line as a line break would.
  const bool closed = units > 0 && text[units - 1] == 10;
  for (int64_t index = 0; index < units + (closed ? 0 : 1); index++) {
    const uint32_t unit = index == units ? 10 : text[index];
    const uint8_t flag = flags[unit];
    if (flag & kBase64) {
      run++;
      run_flags |= flag & tilth::kWordPart;
    } else if (run > 0) {
      const bool wraps = unit == 10 && run >= kWrappedRun && index - line_start >= kWrappedRun;
      if (!wraps) end_run();
    }
    if (flag & tilth::kWhite) {
      dots = 0;
      if (word_start >= 0) end_word(index);
      if (flag & tilth::kSpace) continue;
      all_lines++;
      const int64_t length = index - line_start;
      if (length > longest_line) longest_line = length;
      if (length > kLongLine) long_line_characters += length;
      if (words > words_before_line) {
        if (lines < line_capacity) {
          line_starts[lines] = static_cast<int32_t>(first_start);
          line_ends[lines] = static_cast<int32_t>(last_end);
          line_words[lines] = static_cast<int32_t>(words_before_line);
          opens_paragraph[lines] = after_blank;
        }
        lines++;
        after_blank = 0;
        words_before_line = words;
      } else {
        after_blank = 1;
      }
      line_start = index + 1;
      continue;
    }
    characters++;
    if (flag & tilth::kWordPart) {
      if (flag & tilth::kLetter) letters++;
      else digits++;
      dots = 0;
      if ((flag & tilth::kUnspaced) && word_start >= 0) end_word(index);
    } else if (unit == '.') {
      dots++;
      if (dots == 3) ellipses++;
    } else {
      dots = 0;
      if (unit == '#') hashes++;
      else if (unit == 0x2026) ellipses++;
      else if (unit == '{' || unit == '}') braces++;
    }
    if (word_start < 0) {
      word_start = index;
      hash = 0x811c9dc5u;
      flags_of_word = 0;
    }
    flags_of_word |= flag & tilth::kWordPart;
    hash = (hash ^ unit) * 0x01000193u;
  }
  end_run();
  const int64_t found[] = {words,   lines,  all_lines, longest_line, long_line_characters, characters, letters,
                           digits,  hashes, ellipses,  braces,       base64_characters,    longest_run};
  for (int i = 0; i < 13; i++) figures[i] = static_cast<double>(found[i]);
  if (units == 0) figures[2] = 0;
}
