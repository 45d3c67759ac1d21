package dev.cria.llm.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.cria.Device;
import dev.cria.llm.Llama;
import dev.cria.llm.Tiny;
import dev.cria.llm.Weights;
import dev.cria.llm.data.Example.ChoiceExample;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Perplexity and multiple choice against probabilities taken from the logits by hand. */
class EvaluationTest {
  private Device device;
  private Llama model;

  @BeforeEach
  void open() {
    device = Tiny.cpu();
    model = Llama.init(Tiny.config(), device, Weights.F32, 13);
  }

  @AfterEach
  void close() {
    model.close();
    assertThat(device.liveBytes()).isZero();
    device.close();
  }

  /** Sum of log p(ids[i]) for i from {@code from}, in float64 from the logits of the full pass. */
  private double logLikelihood(int[] ids, int from) {
    float[] logits = Tiny.logits(model, model.inference(), ids);
    double sum = 0;
    for (int i = from; i < ids.length; i++) {
      double total = 0;
      for (int v = 0; v < 97; v++) {
        total += Math.exp(logits[(i - 1) * 97 + v]);
      }
      sum += logits[(i - 1) * 97 + ids[i]] - Math.log(total);
    }
    return sum;
  }

  // Each log-probability is rounded to float32, from logits that differ by some eps of about 10.
  private static double rounding(int count) {
    return count * 1e-5;
  }

  @Test
  void aShortTextIsScoredAfterBos() {
    Perplexity.Score score = Perplexity.text(model, new Letters(), "HELLO", model.inference());
    int[] ids = {1, 43, 40, 47, 47, 50};
    assertThat(score.predicted()).isEqualTo(5);
    assertThat(score.bytes()).isEqualTo(5);
    assertThat(score.nll()).isCloseTo(-logLikelihood(ids, 1), within(rounding(5)));
    assertThat(score.perplexity()).isCloseTo(Math.exp(score.nll() / 5), within(1e-9));
    assertThat(score.bitsPerByte()).isCloseTo(score.nll() / Math.log(2) / 5, within(1e-9));
  }

  @Test
  void aLongTextGoesInWindowsThatOverlapByOneToken() {
    int[] ids = Tiny.tokens(4, 150);
    Perplexity.Score score = Perplexity.ids(model, ids, model.inference());
    // The context is 64: windows from 0, 63 and 126.
    double expected =
        logLikelihood(Arrays.copyOfRange(ids, 0, 64), 1)
            + logLikelihood(Arrays.copyOfRange(ids, 63, 127), 1)
            + logLikelihood(Arrays.copyOfRange(ids, 126, 150), 1);
    assertThat(score.predicted()).isEqualTo(149);
    assertThat(score.nll()).isCloseTo(-expected, within(rounding(149)));
  }

  @Test
  void textsThatFillWindowsExactlyPredictEachTokenOnce() {
    for (int length : new int[] {0, 1, 2, 63, 64, 65, 127, 128}) {
      Perplexity.Score score = Perplexity.ids(model, Tiny.tokens(4, length), model.inference());
      assertThat(score.predicted()).isEqualTo(Math.max(0, length - 1));
      double expected = 0;
      for (int start = 0; start + 1 < length; start += 63) {
        expected -=
            logLikelihood(
                Arrays.copyOfRange(Tiny.tokens(4, length), start, Math.min(length, start + 64)), 1);
      }
      assertThat(score.nll()).isCloseTo(expected, within(rounding(length)));
    }
  }

  @Test
  void optionsAreScoredAfterTheQuestionAndASpace() {
    ChoiceExample question = new ChoiceExample("test", "WHY", List.of("A", "BECAUSE", "SO IT"), 1);
    MultipleChoice.Answer answer =
        MultipleChoice.answer(model, new Letters(), question, model.inference());
    for (int i = 0; i < 3; i++) {
      int[] text = new Letters().encode("WHY " + question.endings().get(i), false);
      int[] ids = new int[text.length + 1];
      ids[0] = 1;
      System.arraycopy(text, 0, ids, 1, text.length);
      assertThat(answer.logLikelihoods()[i])
          .isCloseTo(logLikelihood(ids, 4), within(rounding(text.length)));
    }
    assertThat(answer.bytes()).containsExactly(1, 7, 5);
    assertThat(answer.label()).isEqualTo(1);
  }

  @Test
  void theLargestSumAndTheLargestShareOfBytesMayDiffer() {
    MultipleChoice.Answer answer =
        new MultipleChoice.Answer(new double[] {-4, -6, -4}, new int[] {1, 3, 1}, 0);
    assertThat(answer.bySum()).isZero();
    assertThat(answer.byBytes()).isEqualTo(1);
  }
}
