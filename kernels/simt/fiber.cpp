// fiber.cpp: stacks for kernel threads and the switch between them.
//
// The switch saves the six registers that a call preserves and continues with an indirect jump: a return would be
// mispredicted at every switch, since the processor predicts returns by the calls it has seen.
#include "simt/fiber.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>
#include <vector>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace cria::simt {

namespace {
constexpr size_t kStackBytes = 64 << 10;
constexpr size_t kGuardBytes = 4 << 10;
}  // namespace

struct Stack {
  char *base;
  size_t number;
#if !defined(__x86_64__)
  ucontext_t context;
#endif
};

namespace {
std::vector<Stack *> g_free;
size_t g_stacks = 0;

Stack *new_stack() {
  void *base = mmap(nullptr, kStackBytes + kGuardBytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) report("no memory for the stack of a thread");
  mprotect(base, kGuardBytes, PROT_NONE);  // stacks grow down, into the guard
  auto *stack = new Stack();
  stack->base = static_cast<char *>(base);
  stack->number = g_stacks++;
  return stack;
}

// Stacks at equal distances would compete for the same few sets of the cache: each begins a little lower.
char *stack_top(const Stack *stack) {
  return stack->base + kGuardBytes + kStackBytes - (stack->number * 192 % 4096 & ~size_t{63});
}
}  // namespace

Stack *take_stack() {
  if (g_free.empty()) return new_stack();
  Stack *stack = g_free.back();
  g_free.pop_back();
  return stack;
}

void drop_stack(Stack *stack) { g_free.push_back(stack); }

#if defined(__x86_64__)

extern "C" void cria_simt_switch(void **save, void *stack_pointer);
asm(R"(
  .text
  .hidden cria_simt_switch
  .globl cria_simt_switch
  .type cria_simt_switch, @function
cria_simt_switch:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  pop %rcx
  jmp *%rcx
  .size cria_simt_switch, . - cria_simt_switch
)");

void prepare(Thread *thread) {
  thread->stack = take_stack();
  auto *top = reinterpret_cast<void **>(stack_top(thread->stack));
  *--top =
      nullptr;  // where a return address would be: the entry begins with the alignment of a called function
  *--top = reinterpret_cast<void *>(&fiber_entry);
  for (int i = 0; i < 6; i++) *--top = nullptr;
  thread->stack_pointer = top;
}

void switch_context(void **save, void *stack_pointer) { cria_simt_switch(save, stack_pointer); }

#else

// Contexts of the C library, about twenty times slower. A stack pointer is the address of a context here.
void prepare(Thread *thread) {
  Stack *stack = thread->stack = take_stack();
  getcontext(&stack->context);
  stack->context.uc_stack.ss_sp = stack->base + kGuardBytes;
  stack->context.uc_stack.ss_size = size_t(stack_top(stack) - stack->base) - kGuardBytes;
  stack->context.uc_link = nullptr;
  makecontext(&stack->context, reinterpret_cast<void (*)()>(&fiber_entry), 0);
  thread->stack_pointer = &stack->context;
}

void switch_context(void **save, void *stack_pointer) {
  ucontext_t here;
  *save = &here;
  swapcontext(&here, static_cast<ucontext_t *>(stack_pointer));
}

#endif

}  // namespace cria::simt
