package dev.cria.llm.train;

import dev.cria.Tensor;

/**
 * The loss of one micro-batch.
 *
 * @param sum a scalar on the tape: the sum of the loss over the batch, not divided by anything
 * @param value the same as a number
 */
public record Loss(Tensor sum, double value) {}
