// select.h: how a family of kernels, compiled once per tier, is found at run time.
#pragma once

#include "cpu/tier.h"

// Declares the table `name` of type `Type` in the namespace of each tier, and name_for(tier), which
// picks one. Used inside namespace cria::cpu; cpu/tier/<family>.cpp defines the table in CRIA_TIER_NS.
#if CRIA_TIER_COUNT == 4
#define CRIA_KERNEL_TABLE(Type, name)               \
  namespace portable {                              \
  extern const Type name;                           \
  }                                                 \
  namespace avx2 {                                  \
  extern const Type name;                           \
  }                                                 \
  namespace avx512 {                                \
  extern const Type name;                           \
  }                                                 \
  namespace avx512bf16 {                            \
  extern const Type name;                           \
  }                                                 \
  static inline const Type &name##_for(Tier tier) { \
    switch (tier) {                                 \
      case Tier::avx512bf16:                        \
        return avx512bf16::name;                    \
      case Tier::avx512:                            \
        return avx512::name;                        \
      case Tier::avx2:                              \
        return avx2::name;                          \
      default:                                      \
        return portable::name;                      \
    }                                               \
  }
#else
#define CRIA_KERNEL_TABLE(Type, name) \
  namespace portable {                \
  extern const Type name;             \
  }                                   \
  static inline const Type &name##_for(Tier) { return portable::name; }
#endif
