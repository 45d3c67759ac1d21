// fiber.h: stacks for kernel threads and the switch between them.
#pragma once

#include "simt/machine.h"

namespace cria::simt {

struct Stack;

// A stack whose first resumption runs the fiber entry; from a pool.
Stack *take_stack();
void drop_stack(Stack *stack);
// Makes `thread` start at the entry on a stack of its own.
void prepare(Thread *thread);

// Leaves the running context and continues the other. `save` gets the stack pointer to continue the left one with.
void switch_context(void **save, void *stack_pointer);

// The first function of every fiber (the scheduler's).
[[noreturn]] void fiber_entry();

}  // namespace cria::simt
