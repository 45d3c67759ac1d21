package dev.cria.autograd;

import dev.cria.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Scores of the labels of packed rows; rows labelled -100 have 0.
 *
 * @param logp f32 [T]: log-probability of the label
 * @param entropy f32 [T]: entropy of the distribution, if asked for
 */
public record TokenScores(Tensor logp, @Nullable Tensor entropy) {}
