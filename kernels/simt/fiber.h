// fiber.h: stacks for kernel threads.
#pragma once

#include "simt/machine.h"

namespace cria::simt {

struct Stack;

// A stack whose first resumption runs the fiber entry; from a pool.
Stack *take_stack();
void drop_stack(Stack *stack);
// Makes `thread` start at the entry on a stack of its own.
void prepare(Thread *thread);

// To be called first of all on a stack.
void fiber_begins();

// The first function of every fiber (the scheduler's).
[[noreturn]] void fiber_entry();

}  // namespace cria::simt
