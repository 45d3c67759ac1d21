// tier.h: the instruction-set tiers of the CPU device. Files in cpu/tier/ are compiled once per tier, into namespace
// cria::cpu::CRIA_TIER_NS; all they share with each other are plain function-pointer tables.
#pragma once

namespace cria::cpu {

enum class Tier { portable = 0, avx2 = 1, avx512 = 2, avx512bf16 = 3 };

// The best tier of this machine, capped by CRIA_MAX_ISA. Throws cria::Error on an unknown name in that variable.
Tier detect_tier();
const char *tier_name(Tier tier);

}  // namespace cria::cpu
