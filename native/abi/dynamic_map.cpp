// dynamic_map.cpp: builds the dynamic maps and what finds their nearest codes.
#include "abi/dynamic_map.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cria {
namespace {

uint8_t count_below(const DynamicMap &map, float v) {
  return static_cast<uint8_t>(std::lower_bound(map.bounds, map.bounds + 255, v) - map.bounds);
}

float from_bits(uint32_t bits) {
  float v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}

DynamicMap build(bool has_sign) {
  DynamicMap map;
  for (int i = 0; i < 256; ++i) map.values[i] = dynamic_value(has_sign, i);
  for (int i = 0; i < 255; ++i) map.bounds[i] = (map.values[i] + map.values[i + 1]) / 2;
  map.bounds[255] = std::numeric_limits<float>::infinity();
  for (uint32_t upper = 0; upper < 65536; ++upper) {
    const float first = from_bits(upper << 16), last = from_bits((upper << 16) | 0xFFFF);
    const float least = std::min(first, last);  // the last one where they are negative
    map.start[upper] = std::isnan(least) ? 0 : count_below(map, least);
  }
  return map;
}

}  // namespace

const DynamicMap &signed_dynamic_map() {
  static const DynamicMap map = build(true);
  return map;
}

const DynamicMap &unsigned_dynamic_map() {
  static const DynamicMap map = build(false);
  return map;
}

}  // namespace cria
