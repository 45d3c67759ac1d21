// sample.cpp: draws tokens from logits: greedy, or by temperature, top-k and top-p.
#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <numeric>
#include <vector>

#include "abi/error.h"
#include "abi/hash.h"
#include "cpu/cpu_device.h"
#include "cpu/operations.h"

namespace cria::cpu {
namespace {

// The token at the uniform number u of the distribution over one row. Logits that are not finite are never drawn.
int32_t draw(int64_t v, const float *logits, double temperature, int64_t top_k, double top_p,
             double u) {
  std::vector<int32_t> tokens;
  tokens.reserve(static_cast<size_t>(v));
  for (int64_t j = 0; j < v; ++j) {
    if (std::isfinite(logits[j])) tokens.push_back(static_cast<int32_t>(j));
  }
  // Most likely first, the lower index on ties; only as far as needed.
  const auto likelier = [&](int32_t a, int32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  };
  if (top_k > 0 && top_k < static_cast<int64_t>(tokens.size())) {
    std::partial_sort(tokens.begin(), tokens.begin() + top_k, tokens.end(), likelier);
    tokens.resize(static_cast<size_t>(top_k));
  } else if (top_p < 1) {
    std::sort(tokens.begin(), tokens.end(), likelier);
  }
  float largest = logits[tokens[0]];
  for (int32_t t : tokens) largest = std::max(largest, logits[t]);

  // cumulated[i]: the unnormalised probability of tokens 0..i.
  std::vector<double> cumulated(tokens.size());
  double total = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    total += std::exp((static_cast<double>(logits[tokens[i]]) - largest) / temperature);
    cumulated[i] = total;
  }
  const auto first_reaching = [&](double mass) {
    const auto place = std::lower_bound(cumulated.begin(), cumulated.end(), mass);
    return place == cumulated.end() ? cumulated.size() - 1
                                    : static_cast<size_t>(place - cumulated.begin());
  };
  if (top_p < 1) total = cumulated[first_reaching(top_p * total)];
  // u < 1: the first token whose sum exceeds u * total.
  const auto place = std::upper_bound(cumulated.begin(), cumulated.end(), u * total);
  return tokens[std::min(static_cast<size_t>(place - cumulated.begin()), first_reaching(total))];
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
