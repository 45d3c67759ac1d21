// switch.h: the switch from one kernel thread to another, inline at every primitive that can suspend.
//
// It ends with an indirect jump and stands outside of any function that would have to return after it. Returns are predicted
// by the calls that the processor has seen, so one that runs on another stack than its call costs a misprediction; lanes
// that follow each other through the same code make the jump's target predictable instead.
#pragma once

namespace cria::simt {

// What follows an arrival: switch to `to` (a stack pointer), keeping the own one in `save`, or go on if it is null.
struct Next {
  void *to;
  void **save;
};

#if defined(__x86_64__)

// Leaves the address to go on at on top of the stack. All registers but the stack's change (rbp cannot be named as such).
[[gnu::always_inline]] inline void switch_registers(Next next) {
  asm volatile(
      "lea -128(%%rsp), %%rsp\n\t"  // the ABI's red zone
      "push %%rbp\n\t"
      "lea 1f(%%rip), %%rcx\n\t"
      "push %%rcx\n\t"
      "mov %%rsp, (%%rdx)\n\t"
      "mov %%rax, %%rsp\n\t"
      "pop %%rcx\n\t"
      "jmp *%%rcx\n"
      "1:\n\t"
      "pop %%rbp\n\t"
      "lea 128(%%rsp), %%rsp"
      : "+a"(next.to), "+d"(next.save)
      :
      : "rbx", "rcx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0",
        "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
        "xmm12", "xmm13", "xmm14", "xmm15",
#if defined(__AVX512F__)
        "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6",
        "k7",
#endif
        "memory", "cc");
}

#endif

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
[[gnu::always_inline]] inline void switch_to(Next next) { switch_registers(next); }
#else
void switch_to(Next next);
#endif

}  // namespace cria::simt
