// dropout.h: the dropout of LoRA's inputs, made again wherever it is needed: element e is kept iff hash(key, e) reaches a
// threshold (cria.h).
#pragma once

#include "abi/hash.h"
#include "device/types.h"

namespace cria::gpu {

struct Dropout {
  uint64_t key;
  uint32_t threshold;  // 0 keeps everything
  float factor;        // of what is kept

  Dropout(float p, uint64_t key_)
      : key(key_),
        threshold(static_cast<uint32_t>(static_cast<double>(p) * 4294967296.0)),
        factor(p > 0 ? static_cast<float>(1.0 / (1.0 - static_cast<double>(p))) : 1.0f) {}

  CRIA_BOTH bool keeps(uint64_t e) const { return hash(key, e) >= threshold; }
  // 0 or factor.
  CRIA_BOTH float of(uint64_t e) const { return keeps(e) ? factor : 0.0f; }
};

}  // namespace cria::gpu
