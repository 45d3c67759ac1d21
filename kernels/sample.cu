// sample.cu: draws a token from each row of logits: greedy, or by temperature, top-k and top-p (Holtzman et al. 2020).
//
// Elements of a row are ranked by logit, the lower index first on ties, or by index alone where none is left out. Top-k,
// top-p and the draw itself all ask at which element the weight, added up from the first rank on, reaches a target. They
// find it without sorting: digit by digit of the rank, from the weights of the elements that have each next digit, until
// one element is left. Weights are whole numbers, exp((z - max) / temperature) in units of 2^-47 for 32000 logits, so
// that sums are exact in any order and the steps agree on them. One block a row, kept in shared memory as far as it fits.
#include <algorithm>
#include <cfloat>

#include "abi/hash.h"
#include "device/block.h"
#include "device/device.h"
#include "held_rows.h"
#include "host/launch.h"
#include "host/operations.h"

namespace cria::gpu {
namespace {

constexpr int kDigitBits = 2;
constexpr int kDigits = 1 << kDigitBits;

// A float as an integer of the same order.
CRIA_GPU uint32_t key_of(float z) {
  const uint32_t bits = bits_of(z + 0.0f);  // -0 ranks as 0
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}

CRIA_GPU float float_of_key(uint32_t key) { return float_of(key >> 31 ? key & 0x7FFFFFFFu : ~key); }

// Sums over the block, the same in each thread. Each use takes the other half of the shared memory at `offset`, so that one
// barrier is enough.
template <int THREADS>
class BlockSums {
 public:
  static constexpr int kWarps = THREADS / kWarp;
  static constexpr int kHalf = kDigits * kWarps * 8;
  static constexpr int kBytes = 2 * kHalf;

  CRIA_GPU explicit BlockSums(uint32_t offset) : offset_(offset), turn_(0) {}

  template <int N>
  CRIA_GPU void operator()(uint64_t (&x)[N]) {
    static_assert(N <= kDigits);
    const auto partial = shared<uint64_t>(offset_ + turn_ * kHalf);
    turn_ ^= 1;
#pragma unroll
    for (int i = 0; i < N; ++i) {
      x[i] = warp_sum(x[i]);
      if (lane_index() == 0) partial.store(i * kWarps + warp_index(), x[i]);
    }
    block_sync();
#pragma unroll
    for (int i = 0; i < N; ++i) {
      x[i] = partial.load(i * kWarps + lane_index() % kWarps);
      for (int step = kWarps / 2; step > 0; step /= 2) x[i] += shuffle_xor(x[i], step);
    }
  }

 private:
  const uint32_t offset_;
  uint32_t turn_;
};

// What the call says of all rows.
struct Sampling {
  int64_t v, held;  // elements of a row, and how many are kept in shared memory
  int index_bits;   // v <= 2^index_bits
  float unit;       // 2^(62 - index_bits): as many units of weight has the largest logit
  float temperature;
  int32_t top_k;
  float top_p;
  uint64_t key;
};

// A row of logits while its token is found. Ranks descend: the highest comes first.
template <int THREADS>
struct Row {
  const Sampling how;
  const HeldRows<THREADS, 1> elements;
  BlockSums<THREADS> sums;
  float most = 0;  // the largest logit
  bool by_logit = true;
  uint64_t least = 0;  // elements of lower rank are left out

  CRIA_GPU uint64_t rank(float z, int64_t i) const {
    const uint64_t last = (uint64_t(1) << how.index_bits) - 1;
    return uint64_t(by_logit ? key_of(z) : 0) << how.index_bits | (last - uint64_t(i));
  }

  // f(i, logit, rank) for this thread's finite logits of ranks low ... high.
  template <class F>
  CRIA_GPU void each(uint64_t low, uint64_t high, F f) const {
    float from = -FLT_MAX, to = FLT_MAX;  // the cheap test, which most elements fail
    if (by_logit) {
      from = fmaxf(from, float_of_key(uint32_t(low >> how.index_bits)));
      to = fminf(to, float_of_key(uint32_t(high >> how.index_bits)));
    }
    elements.each([&](int64_t i, auto z) {
      if (!(z[0] >= from && z[0] <= to)) return;
      const uint64_t r = rank(z[0], i);
      if (r >= low && r <= high) f(i, z[0], r);
    });
  }

  CRIA_GPU uint64_t weight(float z, bool count) const {
    return count ? 1 : uint64_t(expf((z - most) / how.temperature) * how.unit);
  }

  CRIA_GPU uint64_t total(bool count) {
    uint64_t x[1] = {0};
    each(least, ~uint64_t(0), [&](int64_t, float z, uint64_t) { x[0] += weight(z, count); });
    sums(x);
    return x[0];
  }

  struct Range {
    uint64_t low, high;
  };

  // Ranks around that of the element at which the weight reaches target (1 ... total) and of no other one.
  CRIA_GPU Range find(uint64_t target, bool count) {
    uint64_t prefix = 0;
    int shift = how.index_bits + (by_logit ? 32 : 0);
    for (;;) {
      const uint64_t high = prefix | ((uint64_t(1) << shift) - 1);
      const Range range = {prefix > least ? prefix : least, high};
      const int next = maximum(shift - kDigitBits, 0);
      // Weights of the elements whose next digit is at least 1, 2, ..., and in front the number of all.
      uint64_t x[kDigits] = {};
      each(range.low, range.high, [&](int64_t, float z, uint64_t r) {
        const uint64_t w = weight(z, count);
        const int digit = int(r >> next & (kDigits - 1));
        x[0] += 1;
#pragma unroll
        for (int d = 1; d < kDigits; ++d) x[d] += digit >= d ? w : 0;
      });
      sums(x);
      if (x[0] <= 1) return range;
      uint64_t digit = 0, above = x[1];
#pragma unroll
      for (int d = 1; d < kDigits; ++d) {
        if (x[d] < target) continue;
        digit = uint64_t(d);
        above = d + 1 < kDigits ? x[d + 1] : 0;
      }
      target -= above;
      prefix |= digit << next;
      shift = next;
    }
  }
};

enum Step { kTopK, kTopP, kDraw };

template <int THREADS>
CRIA_KERNEL(THREADS, 512 / THREADS)
void sample_kernel(Sampling how, const float *logits, uint64_t *fault, int32_t *tokens) {
  const uint32_t sums = kReduceBytes, kept = sums + BlockSums<THREADS>::kBytes;
  Row<THREADS> row{
      how, {kept, how.held, how.v, {logits + block_x() * how.v}}, BlockSums<THREADS>(sums)};
  uint64_t best = 0;
  row.each(0, ~uint64_t(0), [&](int64_t, float, uint64_t r) { best = r > best ? r : best; });
  best = block_reduce<THREADS>(best, 0, [](uint64_t a, uint64_t b) { return a > b ? a : b; });

  if (best == 0) {
    if (thread_index() == 0) atomic_min(fault, uint64_t(block_x()) << 32);
  } else if (how.temperature == 0) {
    row.each(best, best,
             [&](int64_t i, float, uint64_t) { store(tokens + block_x(), int32_t(i)); });
  } else {
    row.most = float_of_key(uint32_t(best >> how.index_bits));
    row.by_logit = how.top_p < 1;
#pragma unroll 1
    for (int step = how.top_k > 0 ? kTopK : kTopP; step <= kDraw; ++step) {
      if (step == kTopP && how.top_p == 1) continue;
      const uint64_t total = row.total(step == kTopK);
      uint64_t target;
      if (step == kTopK) {
        target = uint64_t(how.top_k);
        if (target >= total) continue;
        row.by_logit = true;
      } else if (step == kTopP) {
        target = uint64_t(ceil(double(how.top_p) * double(total)));
      } else {
        const uint64_t e = 2 * uint64_t(block_x());
        const uint64_t bits = uint64_t(hash(how.key, e)) << 32 | hash(how.key, e + 1);
        target = uint64_t(double(bits >> 11) * 0x1p-53 * double(total)) + 1;
      }
      if (target > total) target = total;  // where double(total) was rounded up
      const auto [low, high] = row.find(target, step == kTopK);
      row.least = low;
      if (step == kDraw) {
        row.each(low, high,
                 [&](int64_t i, float, uint64_t) { store(tokens + block_x(), int32_t(i)); });
      }
    }
  }
}

}  // namespace

cria_status sample(cria_queue *queue, int64_t rows, int64_t v, const float *logits,
                   float temperature, int32_t top_k, float top_p, uint64_t key, int32_t *tokens) {
  GpuQueue &gpu = queue_of(queue);
  int index_bits = 0;
  while (v > int64_t(1) << index_bits) ++index_bits;
  const bool few = v <= 4096;  // rows up to this width get smaller blocks
  const Sampling how{v,           held_elements(1, v),
                     index_bits,  std::ldexp(1.0f, 62 - index_bits),
                     temperature, top_k,
                     top_p,       key};
  launch(gpu, "sample", few ? &sample_kernel<128> : &sample_kernel<512>, {rows}, few ? 128 : 512,
         kReduceBytes + (few ? BlockSums<128>::kBytes : BlockSums<512>::kBytes) + int(how.held * 4),
         how, logits, gpu.fault_slot(Fault::sample_row, 0), tokens);
  return CRIA_OK;
}

}  // namespace cria::gpu
