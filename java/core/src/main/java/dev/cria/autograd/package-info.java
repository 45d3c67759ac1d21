/**
 * Recording of operations and their gradients.
 *
 * <p>{@link dev.cria.autograd.Ops} has the operations, {@link dev.cria.autograd.Tape} records them
 * and runs them backward, {@link dev.cria.autograd.Checkpoint} trades memory for a second forward
 * pass. A loss or layer of your own is a combination of operations, or a {@link
 * dev.cria.autograd.Node} with its own backward step.
 *
 * <p>Memory: a recorded operation retains exactly the tensors its backward step reads. The model
 * opens a scope per block and promotes the block's output; what nobody retains is freed when that
 * scope closes, what is retained is freed when its last reader has run backward. Gradients of
 * parameters are added in place; a gradient that several projections contribute to is one buffer
 * that each adds to; a residual branch shares its gradient without a copy.
 */
package dev.cria.autograd;
