// Entries of native/tokenizer: a made-up text of one to four bytes a character, tokens for all bytes and for what a trainer
// makes of the text's own pieces.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "../harness.h"

FUNCTION(void, tokenizer_classes, const uint8_t*);
FUNCTION(int64_t, tokenizer_pieces, int32_t, const uint8_t*, int64_t, int32_t*);
FUNCTION(void*, tokenizer_create, int32_t, int32_t, const int32_t*, int64_t, const int64_t*, const uint8_t*, const uint8_t*, int64_t,
         const int32_t*, const int32_t*, const int32_t*, const int32_t*);
FUNCTION(void, tokenizer_free, void*);
FUNCTION(void, tokenizer_encode, void*, const uint8_t*, const int64_t*, int64_t, int32_t*, int32_t*, int32_t);
FUNCTION(void*, counter_create, int32_t, int64_t);
FUNCTION(void, counter_free, void*);
FUNCTION(void, counter_feed, void*, const uint8_t*, const int64_t*, int64_t, int32_t);
FUNCTION(int64_t, counter_pieces, void*);
FUNCTION(int64_t, counter_bytes, void*);
FUNCTION(void, counter_take, void*, uint8_t*, int64_t*, double*);
FUNCTION(void*, merger_create, const int32_t*, const int64_t*, const double*, int64_t, int64_t, const int64_t*, const uint8_t*, int64_t,
         double);
FUNCTION(void, merger_free, void*);
FUNCTION(int64_t, merger_run, void*, int64_t, int64_t, int32_t*, int32_t*, int32_t*);

// There is no bf16 in this library; the harness asks for it.
extern "C" int64_t tilth_has_bf16() { return 0; }

namespace {

constexpr int32_t kPatterns = 5;
constexpr int64_t kPadding = 32;  // bytes that must be readable after the last document
constexpr int64_t kTexts[] = {0, 1, 3, 7, 65, 5003};

void expect(bool truth, const char* what) {
  if (truth) return;
  std::printf("not true: %s\n", what);
  std::exit(1);
}

// Letter 1, number 2, space 4, upper 8, lower 16.
void useClasses() {
  std::vector<uint8_t> table(0x110000);
  for (int code = 0; code < 0x110000; code++) {
    const bool lower = code >= 'a' && code <= 'z', upper = code >= 'A' && code <= 'Z';
    if (code < 0x80)
      table[code] = lower ? 1 | 16 : upper ? 1 | 8 : code >= '0' && code <= '9' ? 2 : code == ' ' || (code >= 9 && code <= 13) ? 4 : 0;
    else table[code] = code % 5 == 0 ? 0 : code % 5 == 1 ? 2 : code % 11 == 0 ? 4 : code % 2 ? 1 | 16 : 1 | 8;
  }
  tilth_tokenizer_classes(table.data());
}

// Documents of so many characters, one after the other, with bytes to spare behind the last.
struct Documents {
  std::vector<uint8_t> bytes;
  std::vector<int64_t> offsets{0};
  explicit Documents(std::vector<int64_t> lengths) {
    useClasses();
    const char* common = " the 's 'LL 12 345 ,. \r\n\t-- don't It's e";
    for (int64_t length : lengths) {
      for (int32_t one : Integers(60, length)) {
        if (one < 41) bytes.push_back(static_cast<uint8_t>(common[one]));
        else if (one < 47) for (int byte : {0xc3, 0xa0 + one - 41}) bytes.push_back(static_cast<uint8_t>(byte));
        else if (one < 54) for (int byte : {0xe3, 0x81, 0x80 + one}) bytes.push_back(static_cast<uint8_t>(byte));
        else for (int byte : {0xf0, 0x9f, 0x98, 0x80 + one - 54}) bytes.push_back(static_cast<uint8_t>(byte));
      }
      offsets.push_back(static_cast<int64_t>(bytes.size()));
    }
    bytes.resize(bytes.size() + kPadding);
    bytes = std::vector<uint8_t>(bytes.begin(), bytes.end());  // no capacity beyond it, which a sanitizer would not see
  }
  int64_t count() const { return static_cast<int64_t>(offsets.size()) - 1; }
  int64_t length() const { return offsets.back(); }
};

Documents someDocuments() { return Documents({0, 1, 7, 500, 3000, 65}); }

struct Pieces {
  std::vector<uint8_t> bytes;
  std::vector<int64_t> offsets;
  std::vector<double> counts;
};

Pieces countedPieces(int32_t pattern, int64_t limit, int threads) {
  void* counter = tilth_counter_create(pattern, limit);
  for (int batch = 0; batch < 2; batch++) {
    const Documents documents = someDocuments();
    tilth_counter_feed(counter, documents.bytes.data(), documents.offsets.data(), documents.count(), threads);
  }
  const int64_t count = tilth_counter_pieces(counter);
  Pieces pieces{std::vector<uint8_t>(tilth_counter_bytes(counter)), std::vector<int64_t>(count + 1), std::vector<double>(count)};
  tilth_counter_take(counter, pieces.bytes.data(), pieces.offsets.data(), pieces.counts.data());
  tilth_counter_free(counter);
  return pieces;
}

struct Vocabulary {
  std::vector<uint8_t> bytes;
  std::vector<int64_t> offsets{0};
  std::vector<int32_t> left, right, merged;

  Vocabulary() {
    for (int byte = 0; byte < 256; byte++) bytes.push_back(static_cast<uint8_t>(byte)), offsets.push_back(byte + 1);
  }
  int64_t tokens() const { return static_cast<int64_t>(offsets.size()) - 1; }

  void learn(const Pieces& pieces, int64_t size) {
    std::vector<int32_t> symbols(pieces.bytes.begin(), pieces.bytes.end());
    void* merger = tilth_merger_create(symbols.data(), pieces.offsets.data(), pieces.counts.data(),
                                       static_cast<int64_t>(pieces.counts.size()), tokens(), offsets.data(), bytes.data(), 0, 2);
    std::vector<int32_t> turn[3] = {std::vector<int32_t>(7), std::vector<int32_t>(7), std::vector<int32_t>(7)};
    for (int64_t done = -1; done != 0;) {
      done = tilth_merger_run(merger, 7, size, turn[0].data(), turn[1].data(), turn[2].data());
      for (int64_t i = 0; i < done; i++) {
        left.push_back(turn[0][i]), right.push_back(turn[1][i]), merged.push_back(turn[2][i]);
        if (turn[2][i] != tokens()) continue;
        for (int32_t part : {turn[0][i], turn[1][i]}) {
          const std::vector<uint8_t> copy(bytes.begin() + offsets[part], bytes.begin() + offsets[part + 1]);
          bytes.insert(bytes.end(), copy.begin(), copy.end());
        }
        offsets.push_back(static_cast<int64_t>(bytes.size()));
      }
    }
    tilth_merger_free(merger);
  }

  void* encoder(int32_t pattern, int ignoreMerges) const {
    std::vector<int32_t> byteIds(256), ranks;
    for (int byte = 0; byte < 256; byte++) byteIds[byte] = byte;
    for (size_t rank = 0; rank < left.size(); rank++) ranks.push_back(static_cast<int32_t>(rank));
    const std::vector<uint8_t> special(tokens());
    return tilth_tokenizer_create(pattern, ignoreMerges, byteIds.data(), tokens(), offsets.data(), bytes.data(), special.data(),
                                  static_cast<int64_t>(left.size()), left.data(), right.data(), ranks.data(), merged.data());
  }
};

// The tokens of all documents give the text back.
void expectRound(const Vocabulary& vocabulary, void* encoder, const Documents& documents, int threads) {
  std::vector<int32_t> ids(documents.length()), counts(documents.count());
  tilth_tokenizer_encode(encoder, documents.bytes.data(), documents.offsets.data(), documents.count(), ids.data(), counts.data(),
                         threads);
  for (int64_t d = 0; d < documents.count(); d++) {
    int64_t at = documents.offsets[d];
    for (int32_t i = 0; i < counts[d]; i++) {
      const int32_t id = ids[documents.offsets[d] + i];
      const auto from = vocabulary.bytes.begin() + vocabulary.offsets[id], to = vocabulary.bytes.begin() + vocabulary.offsets[id + 1];
      expect(std::equal(from, to, documents.bytes.begin() + at), "a token is the bytes that it stands for");
      at += to - from;
    }
    expect(at == documents.offsets[d + 1], "the tokens are the whole document");
  }
}

}  // namespace

KERNEL(tokenizer_classes) { useClasses(); }

KERNEL(tokenizer_pieces) {
  for (int32_t pattern = 0; pattern < kPatterns; pattern++)
    for (int64_t length : kTexts) {
      const Documents text({length});
      std::vector<int32_t> ends(text.length());
      const int64_t count = tilth_tokenizer_pieces(pattern, text.bytes.data(), text.length(), ends.data());
      for (int64_t i = 0; i < count; i++) expect(ends[i] > (i == 0 ? 0 : ends[i - 1]), "no piece is empty");
      expect(count == 0 ? length == 0 : ends[count - 1] == text.length(), "pieces end where the text does");
    }
}

KERNEL(tokenizer_create) {
  for (int ignoreMerges : {0, 1}) {
    const Vocabulary vocabulary;
    void* encoder = vocabulary.encoder(0, ignoreMerges);
    expectRound(vocabulary, encoder, someDocuments(), threads);
    tilth_tokenizer_free(encoder);
  }
}

KERNEL(tokenizer_free) { tilth_tokenizer_free(Vocabulary().encoder(0, 1)); }

KERNEL(tokenizer_encode) {
  for (int32_t pattern = 0; pattern < kPatterns; pattern++)
    for (int ignoreMerges : {0, 1}) {
      Vocabulary vocabulary;
      vocabulary.learn(countedPieces(pattern, 100000, threads), 400);
      void* encoder = vocabulary.encoder(pattern, ignoreMerges);
      expectRound(vocabulary, encoder, someDocuments(), threads);
      // One piece of many bytes: letters and nothing else.
      Documents letters({0});
      letters.bytes.assign(5000 + kPadding, 'e');
      letters.offsets = {0, 5000};
      expectRound(vocabulary, encoder, letters, threads);
      tilth_tokenizer_free(encoder);
    }
}

KERNEL(counter_create) { tilth_counter_free(tilth_counter_create(0, 1)); }

KERNEL(counter_free) { tilth_counter_free(tilth_counter_create(1, 5)); }

KERNEL(counter_feed) {
  for (int32_t pattern = 0; pattern < kPatterns; pattern++)
    for (int64_t limit : {2, 20, 100000}) countedPieces(pattern, limit, threads);
}

KERNEL(counter_pieces) { expect(countedPieces(0, 20, threads).counts.size() <= 20, "no more pieces than the limit"); }

KERNEL(counter_bytes) {
  const Pieces pieces = countedPieces(0, 100000, threads);
  expect(pieces.offsets.back() == static_cast<int64_t>(pieces.bytes.size()), "as many bytes as it says");
}

KERNEL(counter_take) {
  const Pieces pieces = countedPieces(2, 100000, threads);
  expect(std::is_sorted(pieces.counts.rbegin(), pieces.counts.rend()), "the most frequent comes first");
}

KERNEL(merger_create) {
  const int64_t none[] = {0};
  void* merger = tilth_merger_create(nullptr, none, nullptr, 0, 0, none, nullptr, 0, 1);
  int32_t left, right, merged;
  expect(tilth_merger_run(merger, 1, 10, &left, &right, &merged) == 0, "nothing to merge in nothing");
  tilth_merger_free(merger);
}

KERNEL(merger_free) {
  Vocabulary vocabulary;
  vocabulary.learn(Pieces{{}, {0}, {}}, 300);
  expect(vocabulary.left.empty(), "no merges without words");
}

KERNEL(merger_run) {
  Vocabulary vocabulary;
  vocabulary.learn(countedPieces(1, 100000, threads), 600);
  expect(vocabulary.tokens() > 300, "a text of few characters has pairs");
}
