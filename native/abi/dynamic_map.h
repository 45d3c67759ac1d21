// dynamic_map.h: the 8-bit "dynamic" number formats of block-wise quantisation and the search for the nearest code.
#pragma once

#include <cstdint>
#include <cstring>

namespace cria {

// 256 ascending values in [-1, 1]. The signed map quantises NF4 scales and first moments, the unsigned
// one second moments. Source: Dettmers et al. 2022, in the bits that bitsandbytes computes.
struct DynamicMap {
  float values[256];
  float bounds[256];    // bounds[i] = (values[i] + values[i + 1]) / 2 in float32; bounds[255] = inf
  uint8_t start[8192];  // by the upper 13 bits of a float: the code of the least such number
  uint8_t steps;        // the most codes that numbers with the same upper bits are apart
};

const DynamicMap &signed_dynamic_map();
const DynamicMap &unsigned_dynamic_map();

// Smaller block maxima are treated as this one, so that the reciprocal stays finite.
constexpr float kLeastMaximum = 1e-38f;

// The number of bounds below v: the nearest value, the lower one on a tie. v is not NaN.
static inline uint8_t nearest_code(const DynamicMap &map, float v) {
  uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  uint32_t code = map.start[bits >> 19];
  for (uint8_t i = 0; i < map.steps; ++i) code += v > map.bounds[code];
  return static_cast<uint8_t>(code);
}

}  // namespace cria
