package dev.cria.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.DType;
import dev.cria.DeviceTest;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import dev.cria.autograd.Sequences;
import java.util.Arrays;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class GenerationTest extends DeviceTest {
  @Test
  void cachedAttentionEqualsPackedAttention() {
    int rows = 6;
    Tensor q = randn(1, rows, 8);
    Tensor k = randn(2, rows, 4);
    Tensor v = randn(3, rows, 4);
    float[] whole = Ops.attention(q, k, v, 2, 1, Sequences.of(rows), 0.5f).toFloats();
    try (KvCache cache = new KvCache(device, rows, 1, 4, DType.F32)) {
      cache.append(k.rows(0, 4), v.rows(0, 4));
      near(cache.attend(q.rows(0, 4), 2, 0.5f).toFloats(), Arrays.copyOf(whole, 32));
      cache.append(k.rows(4, 1), v.rows(4, 1));
      cache.truncate(4);
      assertThat(cache.length()).isEqualTo(4);
      for (int row = 4; row < rows; row++) {
        cache.append(k.rows(row, 1), v.rows(row, 1));
        near(
            cache.attend(q.rows(row, 1), 2, 0.5f).toFloats(),
            Arrays.copyOfRange(whole, row * 8, row * 8 + 8));
      }
      assertThatThrownBy(() -> cache.append(k.rows(0, 1), v.rows(0, 1))).hasMessageContaining("6");
    }
  }

  /** Weighted means of numbers of size 1 to 3, summed in another order. */
  private static void near(float[] actual, float[] expected) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int i = 0; i < actual.length; i++) {
      assertThat(actual[i]).isCloseTo(expected[i], Offset.offset(1e-5f));
    }
  }

  @Test
  void greedyTakesTheFirstLargest() {
    Tensor logits = Tensor.of(device, new float[] {1, 5, 5, 0, -1, -2, -3, -0.5f}, 2, 4);
    assertThat(Sampler.sample(logits, Sampling.greedy(), 1)).containsExactly(1, 3);
  }

  @Test
  void samplingFollowsTheProbabilities() {
    int rows = 4000;
    Tensor logits =
        Ops.broadcastTo(
            Tensor.of(device, new float[] {(float) Math.log(3), 0f, -100f}, 1, 3), rows, 3);
    int[] tokens = Sampler.sample(logits, new Sampling(1f, 0, 1f), 9);
    assertThat(Sampler.sample(logits, new Sampling(1f, 0, 1f), 9)).isEqualTo(tokens);
    long first = Arrays.stream(tokens).filter(t -> t == 0).count();
    // Binomial with p = 3/4: five standard deviations of sqrt(n p (1 - p)) = 27.
    assertThat((double) first).isCloseTo(3000, Offset.offset(5 * 27.4));
    assertThat(tokens).doesNotContain(2);
    assertThat(Sampler.sample(logits, new Sampling(1f, 1, 1f), 9)).containsOnly(0);
    assertThat(Sampler.sample(logits, new Sampling(1f, 0, 0.7f), 9)).containsOnly(0);
    assertThatThrownBy(() -> new Sampling(-1f, 0, 1f)).hasMessageContaining("temperature");
  }
}
