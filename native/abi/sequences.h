// sequences.h: the sequences of a packed batch, as attention gets them, checked.
#pragma once

#include <cstdint>
#include <vector>

namespace cria {

struct PackedSequences {
  struct Sequence {
    int64_t start, length;
    int64_t owner;           // the sequence that holds the prefix, -1 for none
    int64_t offset, prefix;  // the prefix: rows offset .. offset + prefix of the owner
  };
  struct Gap {
    int64_t begin, end;  // rows that belong to no sequence
  };

  // quads: start, length, prefix start, prefix length of each sequence. Throws CRIA_INVALID_ARGUMENT on ranges outside
  // [0, t), overlap, or a prefix that is not within another sequence.
  PackedSequences(const char *operation, int64_t t, int64_t count, const int32_t *quads);

  std::vector<Sequence> sequences;
  std::vector<Gap> gaps;
  std::vector<std::vector<int64_t>> viewers;  // by owner: the sequences whose prefix it holds
};

}  // namespace cria
