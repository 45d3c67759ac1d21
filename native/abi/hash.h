// hash.h: the counter-based hash of cria.h: 32 random bits of element e under a key. Constant expressions,
// so that GPU kernels may call them.
#pragma once

#include <cstdint>

namespace cria {

constexpr uint32_t hash_mix(uint32_t z) {
  z ^= z >> 16;
  z *= 0x85EBCA6B;
  z ^= z >> 13;
  z *= 0xC2B2AE35;
  return z ^ z >> 16;
}

constexpr uint32_t hash(uint64_t key, uint64_t e) {
  const uint32_t low =
      hash_mix(static_cast<uint32_t>(key) + 0x9E3779B9u * static_cast<uint32_t>(e));
  return hash_mix(low ^ static_cast<uint32_t>(key >> 32) ^ static_cast<uint32_t>(e >> 32));
}

}  // namespace cria
