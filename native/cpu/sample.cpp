// sample.cpp: draws tokens from logits: greedy, or by temperature, top-k and top-p.
#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "abi/error.h"
#include "abi/hash.h"
#include "cpu/cpu_device.h"
#include "cpu/operations.h"

namespace cria::cpu {
namespace {

constexpr size_t kLikely = 256;  // tokens that are sorted first: most distributions need no more

// The token at the uniform number u of the distribution over one row. Logits that are not finite are never drawn.
int32_t draw(int64_t v, const float *logits, double temperature, int64_t top_k, double top_p,
             double u) {
  std::vector<int32_t> tokens;
  tokens.reserve(static_cast<size_t>(v));
  float largest = -std::numeric_limits<float>::infinity();
  for (int64_t j = 0; j < v; ++j) {
    if (!std::isfinite(logits[j])) continue;
    tokens.push_back(static_cast<int32_t>(j));
    largest = std::max(largest, logits[j]);
  }
  // Most likely first, the lower index on ties; only as far as needed.
  size_t sorted = 0;
  const auto sort_until = [&](size_t end) {
    const auto likelier = [&](int32_t a, int32_t b) {
      return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
    };
    const auto at = [&](size_t i) { return tokens.begin() + static_cast<std::ptrdiff_t>(i); };
    if (end < tokens.size()) {
      std::partial_sort(at(sorted), at(end), tokens.end(), likelier);
    } else {
      std::sort(at(sorted), tokens.end(), likelier);
    }
    sorted = end;
  };
  const auto weight = [&](int32_t token) {  // unnormalised probability
    return std::exp((static_cast<double>(logits[token]) - largest) / temperature);
  };

  if (top_k > 0 && static_cast<size_t>(top_k) < tokens.size()) {
    sort_until(static_cast<size_t>(top_k));
    tokens.resize(sorted);
  }
  if (top_p < 1) {
    double total = 0, mass = 0;
    for (const int32_t token : tokens) total += weight(token);
    size_t kept = 0;
    do {
      if (kept == sorted) sort_until(kept == 0 ? std::min(kLikely, tokens.size()) : tokens.size());
      mass += weight(tokens[kept++]);
    } while (kept < tokens.size() && mass < top_p * total);
    tokens.resize(kept);
  }

  std::vector<double> cumulated(tokens.size());
  double total = 0;
  for (size_t i = 0; i < tokens.size(); ++i) cumulated[i] = total += weight(tokens[i]);
  // u < 1: the first token whose sum exceeds u * total, or the last that has any probability.
  const auto place = std::min(std::upper_bound(cumulated.begin(), cumulated.end(), u * total),
                              std::lower_bound(cumulated.begin(), cumulated.end(), total));
  return tokens[static_cast<size_t>(place - cumulated.begin())];
}

}  // namespace

cria_status sample(cria_queue *queue, int64_t rows, int64_t v, const float *logits,
                   float temperature, int32_t top_k, float top_p, uint64_t key, int32_t *tokens) {
  device_of(queue).parallel(rows, [&](int64_t row) {
    const float *z = logits + row * v;
    int64_t best = -1;
    for (int64_t j = 0; j < v; ++j) {
      if (std::isfinite(z[j]) && (best < 0 || z[j] > z[best])) best = j;
    }
    if (best < 0) {
      fail(CRIA_NOT_FINITE, "sample: row %" PRId64 " of %" PRId64 " has no finite logit", row,
           rows);
    }
    if (temperature == 0) {
      tokens[row] = static_cast<int32_t>(best);
      return;
    }
    const uint64_t e = 2 * static_cast<uint64_t>(row);
    const uint64_t bits = static_cast<uint64_t>(hash(key, e)) << 32 | hash(key, e + 1);
    const double u = static_cast<double>(bits >> 11) * 0x1p-53;
    tokens[row] = draw(v, z, temperature, top_k, top_p, u);
  });
  return CRIA_OK;
}

}  // namespace cria::cpu
