// Entries of native/text: a made-up text of letters, digits, white space and surrogates, and short streams of token hashes.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "../harness.h"

FUNCTION(int64_t, text_words, int32_t, const uint16_t*, int64_t, const uint8_t*, const uint16_t*, int32_t*, int32_t*, int32_t*,
         int32_t*, int64_t);
FUNCTION(void, text_scan, const uint16_t*, int64_t, const uint8_t*, int32_t*, int32_t*, int32_t*, uint8_t*, int64_t, int32_t*,
         int32_t*, int32_t*, int32_t*, int64_t, double*);
FUNCTION(int64_t, text_signature, const uint16_t*, int64_t, const uint8_t*, const uint16_t*, int64_t, int64_t, const uint32_t*,
         const uint32_t*, int64_t, int32_t*);
FUNCTION(int64_t, text_grams, const uint16_t*, int64_t, const uint8_t*, const uint16_t*, int64_t, int32_t*, int32_t*, int64_t);
FUNCTION(int64_t, text_gram_table, const int32_t*, const int32_t*, int64_t, uint64_t*, uint32_t*, int64_t);
FUNCTION(int64_t, text_find_grams, const uint16_t*, int64_t, const uint8_t*, const uint16_t*, int64_t, const uint64_t*,
         const uint32_t*, int64_t, int32_t*, int32_t*, uint32_t*, int64_t);
FUNCTION(void, text_note_windows, const int32_t*, const int32_t*, int64_t, int64_t, uint8_t*, uint8_t*, int32_t);
FUNCTION(int64_t, text_mark_windows, const int32_t*, const int32_t*, int64_t, int64_t, const uint8_t*, int32_t, uint8_t*);
FUNCTION(int32_t, text_mark_repeats, const int32_t*, const int32_t*, int64_t, int64_t, uint8_t*, int32_t);
FUNCTION(int32_t, text_suffix_array, const int32_t*, int64_t, int64_t, int64_t*, int32_t);

// There is no bf16 in this library; the harness asks for it.
extern "C" int64_t tilth_has_bf16() { return 0; }

namespace {

// Flags (letter 1, digit 2, space 4, newline 8, unspaced 16) and lower case of every code unit.
struct Characters {
  std::vector<uint8_t> flags = std::vector<uint8_t>(65536);
  std::vector<uint16_t> lower = std::vector<uint16_t>(65536);
  Characters() {
    for (int unit = 0; unit < 65536; unit++) {
      lower[unit] = static_cast<uint16_t>(unit);
      const int kind = unit % 7;
      flags[unit] = unit == 10 ? 8 : kind < 4 ? 1 : kind == 4 ? 2 : kind == 5 ? 4 : unit % 2 ? 16 | 1 : 0;
    }
  }
};
const Characters characters;

std::vector<uint16_t> textOf(int64_t units) {
  std::vector<uint16_t> text;
  for (int32_t one : Integers(300, units)) text.push_back(static_cast<uint16_t>(one < 10 ? 0xd800 + one * 200 : one));
  return text;
}

constexpr int64_t kUnits[] = {0, 1, 7, 65, 5003};

void expect(bool truth, const char* what) {
  if (truth) return;
  std::printf("not true: %s\n", what);
  std::exit(1);
}

struct Grams {
  std::vector<int32_t> first, second;
};
Grams gramsOf(const std::vector<uint16_t>& text, int64_t n) {
  const int64_t units = static_cast<int64_t>(text.size());
  const int64_t count =
      tilth_text_grams(text.data(), units, characters.flags.data(), characters.lower.data(), n, nullptr, nullptr, 0);
  Grams grams{std::vector<int32_t>(count), std::vector<int32_t>(count)};
  tilth_text_grams(text.data(), units, characters.flags.data(), characters.lower.data(), n, grams.first.data(),
                   grams.second.data(), count);
  return grams;
}

struct Table {
  int64_t slots = 2;
  std::vector<uint64_t> keys;
  std::vector<uint32_t> values;
  int64_t distinct;
  explicit Table(const Grams& grams) {
    while (slots < 2 * static_cast<int64_t>(grams.first.size())) slots *= 2;
    keys.resize(slots);
    values.resize(slots);
    distinct = tilth_text_gram_table(grams.first.data(), grams.second.data(), static_cast<int64_t>(grams.first.size()),
                                     keys.data(), values.data(), slots);
  }
};

// Few symbols, so that there are repeats; 0 ends a document.
Integers tokensOf(int64_t count) { return Integers(4, count); }

}  // namespace

KERNEL(text_words) {
  for (int64_t units : kUnits)
    for (int mode : {0, 1}) {
      const auto text = textOf(units);
      std::vector<int32_t> columns[4];
      const int64_t count = tilth_text_words(mode, text.data(), units, characters.flags.data(), characters.lower.data(), nullptr,
                                             nullptr, nullptr, nullptr, 0);
      for (auto& column : columns) column.resize(count);
      tilth_text_words(mode, text.data(), units, characters.flags.data(), characters.lower.data(), columns[0].data(),
                       columns[1].data(), columns[2].data(), columns[3].data(), count);
      for (int64_t i = 0; i < count; i++) expect(columns[2][i] < columns[3][i], "a word ends after it begins");
    }
}

KERNEL(text_scan) {
  for (int64_t units : kUnits)
    for (int64_t capacity : {int64_t{0}, units / 3, units}) {
      const auto text = textOf(units);
      std::vector<int32_t> columns[7];
      for (auto& column : columns) column.resize(capacity);
      std::vector<uint8_t> kinds(capacity);
      std::vector<double> figures(13);
      tilth_text_scan(text.data(), units, characters.flags.data(), columns[0].data(), columns[1].data(), columns[2].data(),
                      kinds.data(), capacity, columns[3].data(), columns[4].data(), columns[5].data(), columns[6].data(), capacity,
                      figures.data());
      for (double figure : figures) expect(figure >= 0, "figures are counts");
    }
}

KERNEL(text_signature) {
  for (int64_t units : kUnits) {
    const auto text = textOf(units);
    const std::vector<uint32_t> a(17, 12345), b(17, 777);
    std::vector<int32_t> minima(17);
    tilth_text_signature(text.data(), units, characters.flags.data(), characters.lower.data(), 5, 1, a.data(), b.data(), 17,
                         minima.data());
    expect(minima[0] == minima[16], "equal functions have equal minima");
  }
}

KERNEL(text_grams) {
  for (int64_t units : kUnits) gramsOf(textOf(units), 3);
}

KERNEL(text_gram_table) {
  for (int64_t units : kUnits) {
    const Grams grams = gramsOf(textOf(units), 2);
    expect(Table(grams).distinct <= static_cast<int64_t>(grams.first.size()), "no more entries than n-grams");
  }
}

KERNEL(text_find_grams) {
  for (int64_t units : kUnits) {
    const auto text = textOf(units);
    const Grams grams = gramsOf(text, 2);
    const Table table(grams);
    const int64_t count = static_cast<int64_t>(grams.first.size());
    std::vector<int32_t> starts(count), ends(count);
    std::vector<uint32_t> found(count);
    expect(tilth_text_find_grams(text.data(), units, characters.flags.data(), characters.lower.data(), 2, table.keys.data(),
                                 table.values.data(), table.slots, starts.data(), ends.data(), found.data(), count) == count,
           "a text's n-grams are found in its own table");
  }
}

KERNEL(text_note_windows) {
  for (int64_t count : kUnits) {
    std::vector<uint8_t> seen(128), repeated(128);
    Integers first = tokensOf(count), second = tokensOf(count);
    tilth_text_note_windows(first, second, count, 5, seen.data(), repeated.data(), 10);
  }
}

KERNEL(text_mark_windows) {
  for (int64_t count : kUnits) {
    std::vector<uint8_t> seen(128), repeated(128), marks(count);
    Integers first = tokensOf(count), second = tokensOf(count);
    tilth_text_note_windows(first, second, count, 5, seen.data(), repeated.data(), 10);
    const int64_t marked = tilth_text_mark_windows(first, second, count, 5, repeated.data(), 10, marks.data());
    int64_t ones = 0;
    for (uint8_t mark : marks) ones += mark;
    expect(ones == marked, "as many marks as it says");
  }
}

KERNEL(text_mark_repeats) {
  for (int64_t count : kUnits)
    for (int wide : {0, 1}) {
      std::vector<uint8_t> marks(count);
      Integers first = tokensOf(count), second = tokensOf(count);
      expect(tilth_text_mark_repeats(first, second, count, 4, marks.data(), wide) == 0, "there is memory");
    }
}

KERNEL(text_suffix_array) {
  for (int64_t count : kUnits)
    for (int wide : {0, 1}) {
      std::vector<int64_t> order(count);
      Integers text = tokensOf(count);
      expect(tilth_text_suffix_array(text, count, 4, order.data(), wide) == 0, "there is memory");
    }
}
