// fiber.cpp: stacks for kernel threads, and the switch between them where it is not inline.
#include "simt/fiber.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>
#include <vector>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace cria::simt {

namespace {
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kStackBytes = 512 << 10;  // its frames are many times larger
#else
constexpr size_t kStackBytes = 64 << 10;
#endif
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
auto &g_free =
    *new std::vector<Stack *>();  // never destroyed, as the thread that uses it never ends
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

void drop_stack(Stack *stack) {
#if defined(__SANITIZE_ADDRESS__)
  // What an abandoned thread left behind.
  ASAN_UNPOISON_MEMORY_REGION(stack->base + kGuardBytes, kStackBytes);
#endif
  g_free.push_back(stack);
}

#if defined(__x86_64__)

void prepare(Thread *thread) {
  thread->stack = take_stack();
  auto *top = reinterpret_cast<void **>(stack_top(thread->stack));
  *--top = nullptr;  // where a return address would be: a function begins with the stack aligned so
  *--top = reinterpret_cast<void *>(&fiber_entry);
  thread->stack_pointer = top;
}

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

namespace {
void switch_registers(Next next) {
  ucontext_t here;
  *next.save = &here;
  swapcontext(&here, static_cast<ucontext_t *>(next.to));
}
}  // namespace

#endif

#if defined(__SANITIZE_ADDRESS__)

namespace {
const void *g_scheduler_bottom;
size_t g_scheduler_bytes;
}  // namespace

// The sanitizer wants to know each stack that is switched to: that of machine.thread, or the scheduler's.
void switch_to(Next next) {
  const Stack *stack = machine.thread != nullptr ? machine.thread->stack : nullptr;
  void *fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, stack != nullptr ? stack->base : g_scheduler_bottom,
                                 stack != nullptr ? kGuardBytes + kStackBytes : g_scheduler_bytes);
  switch_registers(next);
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
}

void fiber_begins() {
  const void *bottom;
  size_t bytes;
  __sanitizer_finish_switch_fiber(nullptr, &bottom, &bytes);
  if (g_scheduler_bottom == nullptr) {
    g_scheduler_bottom = bottom;
    g_scheduler_bytes = bytes;
  }
}

#else

#if !defined(__x86_64__)
void switch_to(Next next) { switch_registers(next); }
#endif

void fiber_begins() {}

#endif

}  // namespace cria::simt
