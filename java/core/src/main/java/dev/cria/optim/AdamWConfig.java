package dev.cria.optim;

import dev.cria.CriaException;

/**
 * Constants of AdamW (Loshchilov and Hutter 2019).
 *
 * @param beta1 decay of the mean of gradients, in [0, 1); float64 because 1 - 0.999f is wrong in
 *     the fifth digit
 * @param beta2 decay of the mean of squares, in [0, 1)
 * @param eps added to the root of the mean of squares
 * @param weightDecay share of a weight subtracted per unit of learning rate
 * @param eightBit whether the two means are stored in 8 bits, in blocks of 256 (Dettmers et al.
 *     2022)
 */
public record AdamWConfig(
    double beta1, double beta2, float eps, float weightDecay, boolean eightBit) {
  /** Checks the ranges. */
  public AdamWConfig {
    if (!(beta1 >= 0 && beta1 < 1) || !(beta2 >= 0 && beta2 < 1)) {
      throw new CriaException("adamw: betas are " + beta1 + ", " + beta2 + "; [0, 1) expected");
    }
    if (!(eps > 0) || !(weightDecay >= 0)) {
      throw new CriaException("adamw: eps is " + eps + ", weight decay " + weightDecay);
    }
  }

  /** The customary 0.9, 0.999, 1e-8 without weight decay, in f32. */
  public static AdamWConfig standard() {
    return new AdamWConfig(0.9, 0.999, 1e-8f, 0f, false);
  }
}
