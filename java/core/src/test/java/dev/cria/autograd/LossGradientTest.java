package dev.cria.autograd;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.DType;
import dev.cria.DeviceTest;
import dev.cria.Tensor;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LossGradientTest extends DeviceTest {
  private static Weight.Dense head(Tensor w) {
    return new Weight.Dense(new Parameter("head", w));
  }

  private Tensor labels(int... labels) {
    return Tensor.ofInts(device, labels, labels.length);
  }

  @Test
  void crossEntropy() {
    Tensor labels = labels(2, -100, 0, 4);
    GradientCheck.check(
        in -> Ops.linearCrossEntropy(in[0], head(in[1]), labels, null, 1f),
        randn(1, 4, 3),
        randn(2, 5, 3));
    Tensor weights = Tensor.of(device, new float[] {0.5f, 1f, 2f, 0f}, 4);
    GradientCheck.check(
        in -> Ops.linearCrossEntropy(in[0], head(in[1]), labels, weights, 1f),
        randn(1, 4, 3),
        randn(2, 5, 3));
    Tensor frozen = randn(2, 5, 3);
    GradientCheck.check(
        in -> Ops.linearCrossEntropy(in[0], head(frozen), labels, null, 1f), randn(1, 4, 3));
  }

  @Test
  void crossEntropyOfEqualLogitsIsTheLogarithmOfTheVocabulary() {
    Tensor h = Tensor.zeros(device, DType.F32, 3, 2);
    Weight.Dense head = head(randn(1, 8, 2));
    Tensor labels = labels(1, -100, 7);
    assertThat(Ops.linearCrossEntropy(h, head, labels, null, 1f).item())
        .isCloseTo((float) (2 * Math.log(8)), Offset.offset(1e-6f));
    float[] rows = Ops.crossEntropyRows(h, head, labels).toFloats();
    assertThat(rows[0]).isCloseTo((float) Math.log(8), Offset.offset(1e-6f));
    assertThat(rows[1]).isZero();
  }

  @Test
  void gradientScaleIsAFactorOnTheGradients() {
    Tensor h = randn(1, 2, 3);
    Weight.Dense head = head(randn(2, 5, 3));
    float[][] gradients = new float[2][];
    for (int i = 0; i < 2; i++) {
      try (Tape tape = Tape.record()) {
        tape.watch(h);
        tape.backward(Ops.linearCrossEntropy(h, head, labels(1, 2), null, i == 0 ? 1f : 0.25f));
        gradients[i] = tape.gradient(h).toFloats();
      }
    }
    for (int i = 0; i < gradients[0].length; i++) {
      // A power of two: at most the sums inside are rounded differently.
      assertThat(gradients[1][i]).isCloseTo(gradients[0][i] / 4, Offset.offset(1e-6f));
    }
  }

  @Test
  void logProbabilityWithFrozenAndTrainedHead() {
    Tensor labels = labels(2, -100, 0, 4);
    Tensor frozen = randn(2, 5, 3);
    GradientCheck.check(
        in -> Ops.linearLogProb(in[0], head(frozen), labels, false).logp(), randn(1, 4, 3));
    GradientCheck.check(
        in -> Ops.linearLogProb(in[0], head(in[1]), labels, false).logp(),
        randn(1, 4, 3),
        randn(2, 5, 3));
  }

  @Test
  void entropyAndLogProbabilityTogether() {
    Tensor labels = labels(2, -100, 0, 4);
    GradientCheck.check(
        in -> {
          TokenScores scores = Ops.linearLogProb(in[0], head(in[1]), labels, true);
          return Ops.concat(0, scores.logp(), entropy(scores));
        },
        randn(1, 4, 3),
        randn(2, 5, 3));
    Tensor frozen = randn(2, 5, 3);
    GradientCheck.check(
        in -> entropy(Ops.linearLogProb(in[0], head(frozen), labels, true)), randn(1, 4, 3));
    GradientCheck.check(
        in -> Ops.linearLogProb(in[0], head(frozen), labels, true).logp(), randn(1, 4, 3));
  }

  private static Tensor entropy(TokenScores scores) {
    return requireNonNull(scores.entropy());
  }

  @Test
  void logProbabilityIsTheNegativeCrossEntropy() {
    Tensor h = randn(1, 4, 3);
    Weight.Dense head = head(randn(2, 5, 3));
    Tensor labels = labels(2, -100, 0, 4);
    assertThat(
            GradientCheck.distance(
                Ops.neg(Ops.linearLogProb(h, head, labels, false).logp()),
                Ops.crossEntropyRows(h, head, labels)))
        .isLessThan(1e-6);
  }

  @ParameterizedTest
  @EnumSource
  void dpo(DpoKind kind) {
    // The hinge has a kink at D = 1; with beta 0.1 and these numbers D stays below.
    Tensor refChosen = randn(3, 4);
    Tensor refRejected = randn(4, 4);
    float smoothing = kind == DpoKind.SIGMOID ? 0.1f : 0f;
    GradientCheck.check(
        in ->
            Ops.dpoLoss(
                in[0],
                in[1],
                refChosen,
                refRejected,
                new int[] {1, 2, 3, 4},
                new int[] {4, 1, 2, 2},
                kind,
                0.1f,
                smoothing),
        randn(1, 4),
        randn(2, 4));
  }

  @Test
  void dpoAtEqualPoliciesIsTheLogarithmOfTwo() {
    Tensor c = randn(1, 3);
    Tensor r = randn(2, 3);
    int[] lengths = {1, 1, 1};
    for (float loss :
        Ops.dpoLoss(c, r, c, r, lengths, lengths, DpoKind.SIGMOID, 0.1f, 0f).toFloats()) {
      assertThat(loss).isCloseTo((float) Math.log(2), Offset.offset(1e-7f));
    }
    assertThatThrownBy(() -> Ops.dpoLoss(c, r, c, r, lengths, lengths, DpoKind.IPO, 0.1f, 0.1f))
        .hasMessageContaining("label smoothing");
    assertThatThrownBy(
            () -> Ops.dpoLoss(c, randn(1, 2), c, r, lengths, lengths, DpoKind.IPO, 0.1f, 0f))
        .hasMessage("dpoLoss: rejected is f32[2], expected f32[3]");
  }

  @Test
  void rewardPairs() {
    Tensor margin = randn(3, 4);
    GradientCheck.check(
        in -> Ops.rewardPairLoss(in[0], in[1], margin, 0.01f), randn(1, 4), randn(2, 4));
    GradientCheck.check(in -> Ops.rewardPairLoss(in[0], in[1], null, 0f), randn(1, 4), randn(2, 4));
  }
}
