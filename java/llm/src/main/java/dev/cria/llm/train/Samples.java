package dev.cria.llm.train;

/**
 * One figure of every held-out example: the mean over all is sum(values) / sum(weights).
 *
 * @param values for example nats of each text; the arrays are not copied
 * @param weights for example labelled tokens of each text
 */
public record Samples(double[] values, double[] weights) {
  /** Checks that the lengths agree. */
  public Samples {
    if (values.length != weights.length) {
      throw new IllegalArgumentException(values.length + " values, " + weights.length + " weights");
    }
  }

  /** Values that all count the same. */
  public static Samples of(double[] values) {
    double[] ones = new double[values.length];
    java.util.Arrays.fill(ones, 1);
    return new Samples(values, ones);
  }

  /** The mean with its uncertainty. */
  public Estimate estimate() {
    return Estimate.ratio(values, weights);
  }

  /**
   * Mean of this minus mean of {@code other}, which holds the same examples in the same order, with
   * the uncertainty of paired differences: what all of an example shares cancels.
   */
  public Estimate minus(Samples other) {
    double[] differences = new double[values.length];
    for (int i = 0; i < differences.length; i++) {
      differences[i] = values[i] - other.values[i];
    }
    return Estimate.ratio(differences, weights);
  }
}
