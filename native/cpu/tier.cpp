// tier.cpp: the instruction-set tier of this machine: what the processor has and the operating system saves.
#include "cpu/tier.h"

#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "abi/error.h"

namespace cria::cpu {
namespace {

#if defined(__x86_64__)

struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);
  return r;
}

bool bit(unsigned word, int n) { return (word >> n & 1) != 0; }

Tier machine_tier() {
  const Registers one = cpuid(1, 0), seven = cpuid(7, 0), seven_one = cpuid(7, 1);
  if (!bit(one.c, 27)) return Tier::portable;  // OSXSAVE: xgetbv may be used
  unsigned low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  const bool saves_ymm = (low & 0x06) == 0x06, saves_zmm = (low & 0xE6) == 0xE6;
  // FMA, F16C, AVX, AVX2, BMI1, BMI2
  const bool avx2 = saves_ymm && bit(one.c, 12) && bit(one.c, 29) && bit(one.c, 28) &&
                    bit(seven.b, 5) && bit(seven.b, 3) && bit(seven.b, 8);
  if (!avx2) return Tier::portable;
#if defined(CRIA_EMULATE_AVX512)
  return Tier::avx512bf16;
#endif
  // F, DQ, BW, VL, VBMI
  const bool avx512 = saves_zmm && bit(seven.b, 16) && bit(seven.b, 17) && bit(seven.b, 30) &&
                      bit(seven.b, 31) && bit(seven.c, 1);
  if (!avx512) return Tier::avx2;
  return seven.a >= 1 && bit(seven_one.a, 5) ? Tier::avx512bf16 : Tier::avx512;
}

#else

Tier machine_tier() { return Tier::portable; }

#endif

constexpr const char *kNames[] = {"portable", "avx2", "avx512", "avx512bf16"};

}  // namespace

Tier detect_tier() {
  const Tier best = machine_tier();
  const char *cap = std::getenv("CRIA_MAX_ISA");
  if (!cap || !*cap) return best;
  for (int i = 0; i < 4; ++i) {
    if (std::strcmp(cap, kNames[i]) == 0)
      return static_cast<int>(best) < i ? best : static_cast<Tier>(i);
  }
  fail(CRIA_INVALID_ARGUMENT,
       "device_open: CRIA_MAX_ISA is '%s'; known tiers: portable, avx2, avx512, avx512bf16", cap);
}

const char *tier_name(Tier tier) { return kNames[static_cast<int>(tier)]; }

}  // namespace cria::cpu
