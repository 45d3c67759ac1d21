package dev.cria.llm.train;

/**
 * A mean over examples with its uncertainty.
 *
 * @param mean the mean
 * @param standardError of the mean, by example; 0 where there is only one
 * @param count number of examples
 */
public record Estimate(double mean, double standardError, int count) {
  /** Quantile of the normal distribution that leaves 2.5 % above it. */
  private static final double Z95 = 1.959963984540054;

  /**
   * The ratio sum(values) / sum(weights), for example nats per token over texts of different
   * length. Its standard error treats the examples as the independent draws (the usual estimator of
   * a ratio): sqrt(n/(n-1) * sum (v_i - mean * w_i)^2) / sum w.
   */
  public static Estimate ratio(double[] values, double[] weights) {
    double value = 0;
    double weight = 0;
    for (int i = 0; i < values.length; i++) {
      value += values[i];
      weight += weights[i];
    }
    double mean = weight == 0 ? 0 : value / weight;
    double squares = 0;
    for (int i = 0; i < values.length; i++) {
      double rest = values[i] - mean * weights[i];
      squares += rest * rest;
    }
    int n = values.length;
    double error = n < 2 || weight == 0 ? 0 : Math.sqrt(squares * n / (n - 1)) / weight;
    return new Estimate(mean, error, n);
  }

  /** The plain mean. */
  public static Estimate mean(double[] values) {
    double[] ones = new double[values.length];
    java.util.Arrays.fill(ones, 1);
    return ratio(values, ones);
  }

  /** Lower end of the 95 % interval. */
  public double low95() {
    return mean - Z95 * standardError;
  }

  /** Upper end of the 95 % interval. */
  public double high95() {
    return mean + Z95 * standardError;
  }
}
