package dev.cria.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.cria.llm.train.Samples;
import org.junit.jupiter.api.Test;

/** Intervals of shares, and what counts as an improvement. */
final class ShareTest {
  @Test
  void intervalOfNoneReachesAboveZero() {
    Share none = Share.of(Samples.of(new double[300]));
    double z2 = 1.959963984540054 * 1.959963984540054;
    assertThat(none.low95()).isCloseTo(0, within(1e-15));
    // Wilson at p = 0: z^2 / (n + z^2).
    assertThat(none.high95()).isCloseTo(z2 / (300 + z2), within(1e-12));
  }

  @Test
  void intervalOfHalfIsSymmetric() {
    Share half = Share.of(yes(50, 100));
    assertThat(half.mean()).isEqualTo(0.5);
    assertThat(half.low95() + half.high95()).isCloseTo(1, within(1e-12));
    assertThat(half).hasToString("50.0 % (40.4 to 59.6)");
  }

  @Test
  void noiseIsNoImprovement() {
    assertThat(Share.improved(yes(50, 100), yes(50, 100))).isFalse();
    assertThat(Share.improved(yes(50, 100), yes(52, 100))).isFalse();
    assertThat(Share.improved(yes(50, 100), yes(30, 100))).isFalse();
    assertThat(Share.improved(yes(50, 100), yes(60, 100))).isTrue();
  }

  /** The first {@code count} of {@code all} are yes. */
  private static Samples yes(int count, int all) {
    double[] values = new double[all];
    java.util.Arrays.fill(values, 0, count, 1);
    return Samples.of(values);
  }
}
