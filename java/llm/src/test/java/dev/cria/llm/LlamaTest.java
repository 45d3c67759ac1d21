package dev.cria.llm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import dev.cria.autograd.Tape;
import dev.cria.llm.lora.Adapter;
import dev.cria.llm.lora.Lora;
import dev.cria.llm.lora.LoraConfig;
import dev.cria.nn.Parameter;
import dev.cria.optim.GradientBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Forward and backward passes of the model, against each other. */
@NullUnmarked
class LlamaTest {
  /**
   * Two ways to sum the same numbers in float32: for each of the model's about 10 sums in a row the
   * results differ by at most n eps sum|a b|, and here n <= 97 and the sums are of the size of the
   * largest logit; the products of the factors stay below 100 eps.
   */
  private static double rounding(float[] logits) {
    return 100 * Math.ulp(1f) * Math.max(1, Tiny.maxAbs(logits));
  }

  private Device device;

  @BeforeEach
  void open() {
    device = Tiny.cpu();
  }

  @AfterEach
  void nothingIsLeft() {
    assertThat(device.liveBytes()).isZero();
    device.close();
  }

  private Llama model(Weights form) {
    return Llama.init(Tiny.config(), device, form, 7);
  }

  @Test
  void randomWeightsHaveTheConfiguredDeviationAndUnitGains() {
    try (Llama model = model(Weights.F32)) {
      float[] embedding = model.parameters().get("model.embed_tokens.weight").value().toFloats();
      double squares = 0;
      for (float v : embedding) {
        squares += (double) v * v;
      }
      // Standard error of a deviation estimated from n normals: sigma / sqrt(2n); five of them.
      int n = embedding.length;
      assertThat(Math.sqrt(squares / n))
          .isCloseTo(0.15, org.assertj.core.data.Offset.offset(5 * 0.15 / Math.sqrt(2.0 * n)));
      assertThat(model.parameters().get("model.norm.weight").value().toFloats()).containsOnly(1f);
      assertThat(model.config().parameters())
          .isEqualTo(model.parameters().values().stream().mapToLong(p -> p.value().size()).sum());
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Weights.class,
      names = {"F32", "BF16", "NF4"})
  void decodingWithACacheEqualsTheFullPass(Weights form) {
    int[] ids = Tiny.tokens(3, 23);
    try (Llama model = model(form)) {
      float[] full = Tiny.logits(model, model.inference(), ids);
      float[] steps = new float[full.length];
      int vocab = model.config().vocab();
      try (KvState state = model.newState(32)) {
        int at = 0;
        for (int chunk : new int[] {5, 1, 1, 9, 1, 6}) {
          try (Scope scope = Scope.open()) {
            int[] part = Arrays.copyOfRange(ids, at, at + chunk);
            Tensor rows = model.decode(part, state, model.inference());
            float[] logits = model.logits(rows).toFloats();
            System.arraycopy(logits, 0, steps, at * vocab, logits.length);
          }
          at += chunk;
        }
        assertThat(state.length()).isEqualTo(23);
      }
      // A bfloat16 cache rounds keys and values to 2^-8 of their size, and a kernel may round its
      // inputs likewise; 3 blocks, each adding at most its own share to the stream.
      double tolerance =
          form == Weights.F32 ? rounding(full) : 3 * Math.pow(2, -7) * Tiny.maxAbs(full);
      assertThat(Tiny.maxDifference(full, steps)).isLessThanOrEqualTo(tolerance);
    }
  }

  @Test
  void packedTextsDoNotSeeEachOther() {
    int[] a = Tiny.tokens(1, 9);
    int[] b = Tiny.tokens(2, 14);
    try (Llama model = model(Weights.F32);
        Scope scope = Scope.open()) {
      float[] both = model.logits(model.hidden(TokenBatch.of(a, b), model.inference())).toFloats();
      float[] alone = Tiny.logits(model, model.inference(), b);
      float[] second = Arrays.copyOfRange(both, 9 * 97, both.length);
      assertThat(Tiny.maxDifference(second, alone)).isLessThanOrEqualTo(rounding(alone));
    }
  }

  @Test
  void answersThatShareAPromptEqualWholeTexts() {
    int[] prompt = Tiny.tokens(4, 6);
    int[] first = Tiny.tokens(5, 4);
    int[] second = Tiny.tokens(6, 7);
    try (Llama model = model(Weights.F32)) {
      ScoredBatch shared = new ScoredBatch.Builder().answers(prompt, first, second).build();
      assertThat(shared.tokens().rows()).isEqualTo(17);
      double[] sums = dev.cria.llm.eval.TokenScorer.segmentSums(model, shared, model.inference());
      for (int i = 0; i < 2; i++) {
        int[] answer = i == 0 ? first : second;
        int[] whole = Arrays.copyOf(prompt, 6 + answer.length);
        System.arraycopy(answer, 0, whole, 6, answer.length);
        float[] weights = new float[whole.length];
        Arrays.fill(weights, 6, whole.length, 1);
        ScoredBatch plain = new ScoredBatch.Builder().text(whole, weights).build();
        double sum = dev.cria.llm.eval.TokenScorer.segmentSums(model, plain, model.inference())[0];
        // Each of the answer's log-probabilities may differ by the rounding of its logits.
        assertThat(sums[i])
            .isCloseTo(sum, org.assertj.core.data.Offset.offset(answer.length * 100 * 1.2e-7 * 10));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Weights.class,
      names = {"F32", "NF4"})
  void recomputedBlocksGiveTheSameGradientsBitForBit(Weights form) {
    try (Llama model = model(form)) {
      Adapter adapter = Lora.attach(model, LoraConfig.of(3, 6).dropout(0.2), 5);
      Tiny.fillB(adapter, 8);
      float[][] kept = gradients(model, 0);
      for (int blocks = 1; blocks <= 3; blocks++) {
        assertThat(gradients(model, blocks)).isDeepEqualTo(kept);
      }
      assertThat(Tiny.maxAbs(kept[0])).isPositive();
    }
  }

  private static float[][] gradients(Llama model, int recomputed) {
    List<Parameter> parameters = model.trainedParameters();
    List<float[]> result = new ArrayList<>();
    try (Scope scope = Scope.open();
        GradientBuffer buffer = new GradientBuffer(model.device(), parameters)) {
      parameters.forEach(p -> p.setTrainable(true));
      ScoredBatch batch =
          new ScoredBatch.Builder().text(Tiny.tokens(1, 11)).text(Tiny.tokens(2, 5)).build();
      try (Tape tape = Tape.record()) {
        ForwardContext context =
            ForwardContext.training(model.activeAdapter(), 1, 2, 3).recomputing(recomputed);
        Tensor rows = model.predictingRows(batch, context);
        Tensor labels = Tensor.ofInts(model.device(), batch.labels(), batch.predictions());
        tape.backward(Ops.linearCrossEntropy(rows, model.head(), labels, null, 1f));
      }
      for (Parameter p : parameters) {
        result.add(p.grad().toFloats());
        p.setTrainable(false);
      }
    }
    return result.toArray(new float[0][]);
  }

  @Test
  void aTextLongerThanTheContextIsRefusedInDecoding() {
    try (Llama model = model(Weights.F32);
        KvState state = model.newState(64);
        Scope scope = Scope.open()) {
      assertThatThrownBy(() -> model.decode(Tiny.tokens(1, 65), state, model.inference()))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("65 tokens")
          .hasMessageContaining("64");
    }
  }

  @Test
  void nf4KeepsEmbeddingAndHeadInBfloat16() {
    try (Llama model = model(Weights.NF4);
        Llama wide = model(Weights.NF4_F32)) {
      assertThat(model.quantized()).isTrue();
      assertThat(model.head().parameter().value().dtype()).isEqualTo(dev.cria.DType.BF16);
      assertThat(wide.head().parameter().value().dtype()).isEqualTo(dev.cria.DType.F32);
      assertThat(model.linears()).hasSize(21);
      assertThat(model.parameters()).hasSize(1 + 2 * 3 + 1);
    }
  }
}
