package dev.cria.llm.parity;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cria.DType;
import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import dev.cria.autograd.Tape;
import dev.cria.llm.ForwardContext;
import dev.cria.llm.Llama;
import dev.cria.llm.LlamaConfig;
import dev.cria.llm.LlamaConfigJson;
import dev.cria.llm.ScoredBatch;
import dev.cria.llm.TokenBatch;
import dev.cria.llm.Weights;
import dev.cria.llm.checkpoint.Json;
import dev.cria.llm.checkpoint.ModelWriter;
import dev.cria.llm.lora.Lora;
import dev.cria.llm.lora.PeftFolder;
import dev.cria.nn.Nf4Matrix;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;
import dev.cria.optim.GradientBuffer;
import dev.cria.safetensors.SafetensorsFile;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Logits, loss and every gradient against PyTorch, transformers, PEFT and bitsandbytes. */
@NullUnmarked
class ModelParityTest {
  private static final String WIDE = "headwidth100";
  private static final String GROUPED = "grouped-tied";

  private Device device;
  private Scope scope;

  @BeforeEach
  void open() {
    device = Device.open("cpu");
    scope = Scope.open();
  }

  @AfterEach
  void nothingIsLeft() {
    scope.close();
    assertThat(device.liveBytes()).isZero();
    device.close();
  }

  private Llama load(String config, Weights form) {
    if (config.equals(GROUPED)) {
      return Llama.load(Golden.root().resolve(GROUPED).resolve("model"), device, form);
    }
    try {
      LlamaConfig shape = LlamaConfigJson.read(Golden.root().resolve(WIDE).resolve("config.json"));
      return Llama.of(shape, device, form, new FormulaWeights(device));
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** The model whose matrices are the float32 values of its NF4 ones. */
  private Llama dequantized(String config, Path folder) {
    if (config.equals(GROUPED)) {
      return Llama.load(Golden.root().resolve(GROUPED).resolve("nf4"), device, Weights.F32);
    }
    try (Llama nf4 = load(WIDE, Weights.NF4_F32)) {
      ModelWriter.of(nf4).form(Weights.F32).write(folder);
    }
    return Llama.load(folder, device, Weights.F32);
  }

  private record Result(float[] logits, double nllSum, Map<String, float[]> gradients) {}

  private Result run(Llama model, Golden.Batch batch) {
    float[] logits =
        model.logits(model.hidden(TokenBatch.of(batch.ids()), model.inference())).toFloats();
    ScoredBatch.Builder builder = new ScoredBatch.Builder();
    for (int s = 0; s < batch.ids().length; s++) {
      builder.text(batch.ids()[s], batch.weights()[s]);
    }
    ScoredBatch scored = builder.build();
    List<Parameter> parameters = model.trainedParameters();
    Map<String, float[]> gradients = new TreeMap<>();
    double sum;
    try (GradientBuffer buffer = new GradientBuffer(model.device(), parameters);
        Tape tape = Tape.record()) {
      parameters.forEach(p -> p.setTrainable(true));
      ForwardContext context = ForwardContext.inference(model.activeAdapter());
      Tensor rows = model.predictingRows(scored, context);
      Tensor labels = Tensor.ofInts(device, scored.labels(), scored.predictions());
      Tensor loss = Ops.linearCrossEntropy(rows, model.head(), labels, null, 1f);
      sum = loss.item();
      tape.backward(loss, Tensor.scalar(device, 1f / batch.labelled()));
      for (Parameter p : parameters) {
        gradients.put(p.name(), p.grad().toFloats());
        p.setTrainable(false);
      }
    }
    return new Result(logits, sum, gradients);
  }

  private static Golden.Batch batch(String config) {
    return Golden.Batch.of(Json.read(Golden.root().resolve(config).resolve("batch.json")));
  }

  private static void compare(Golden golden, String name, float[] whole) {
    float[] expected = golden.values(name);
    float[] actual = golden.sampled(name, whole);
    assertThat(actual).as(name).hasSameSizeAs(expected);
    int worst = 0;
    for (int i = 0; i < actual.length; i++) {
      if (!(Math.abs((double) actual[i] - expected[i])
          <= Math.abs((double) actual[worst] - expected[worst]))) {
        worst = i;
      }
    }
    assertThat(Math.abs((double) actual[worst] - expected[worst]))
        .as("%s: element %d is %s, golden %s", name, worst, actual[worst], expected[worst])
        .isLessThanOrEqualTo(golden.tolerance(name));
  }

  /** Compares everything a golden pair has; gradients are those of the mean loss. */
  private void compareAll(Golden golden, Result result, int labelled, String prefix) {
    compare(golden, "logits", result.logits());
    double nll = golden.json().path("nll_sum").asDouble();
    double loss = golden.json().path("loss").asDouble();
    assertThat(golden.json().path("labelled").asInt()).isEqualTo(labelled);
    // The sum is rounded to float32 once; its terms are as good as the logits.
    double tolerance = labelled * golden.tolerance("logits") + Math.abs(nll) * Math.pow(2, -23);
    assertThat(result.nllSum()).isCloseTo(nll, org.assertj.core.data.Offset.offset(tolerance));
    assertThat(result.nllSum() / labelled)
        .isCloseTo(loss, org.assertj.core.data.Offset.offset(tolerance / labelled));
    int compared = 0;
    for (String name : golden.names()) {
      if (name.startsWith("grad.")) {
        float[] gradient = result.gradients().get(name.substring(5 + prefix.length()));
        assertThat(gradient).as(name).isNotNull();
        compare(golden, name, gradient);
        compared++;
      }
    }
    assertThat(compared).isEqualTo(result.gradients().size());
  }

  @ParameterizedTest
  @ValueSource(strings = {WIDE, GROUPED})
  void logitsLossAndEveryGradientOfTheWholeModel(String config) {
    try (Llama model = load(config, Weights.F32)) {
      Golden.Batch batch = batch(config);
      compareAll(Golden.open(config + "/reference"), run(model, batch), batch.labelled(), "");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {WIDE, GROUPED})
  void logitsLossAndEveryGradientOfAnAdapter(String config) {
    try (Llama model = load(config, Weights.F32)) {
      Lora.load(model, Golden.root().resolve(config).resolve("adapter"));
      Golden.Batch batch = batch(config);
      compareAll(
          Golden.open(config + "/lora"), run(model, batch), batch.labelled(), PeftFolder.PREFIX);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {WIDE, GROUPED})
  void adapterOnTheValuesOfNf4Matrices(String config, @TempDir Path folder) {
    try (Llama model = dequantized(config, folder.resolve("dequantized"))) {
      Lora.load(model, Golden.root().resolve(config).resolve("adapter"));
      Golden.Batch batch = batch(config);
      compareAll(
          Golden.open(config + "/nf4-lora"),
          run(model, batch),
          batch.labelled(),
          PeftFolder.PREFIX);
    }
  }

  /**
   * The NF4 kernels may round their inputs to bfloat16: a relative error of at most 2^-9 in each
   * factor of each of the 7 matrices of each block, forward and again backward. Errors of random
   * sign add up to no more than their sum, so the length of the difference is at most 2 * 7 * L *
   * 2^-9 of the length of the result.
   */
  @ParameterizedTest
  @ValueSource(strings = {WIDE, GROUPED})
  void adapterOnNf4Matrices(String config) {
    try (Llama model =
        config.equals(GROUPED)
            ? Llama.load(Golden.root().resolve(GROUPED).resolve("nf4"), device, Weights.AS_STORED)
            : load(WIDE, Weights.NF4_F32)) {
      assertThat(model.quantized()).isTrue();
      Lora.load(model, Golden.root().resolve(config).resolve("adapter"));
      Golden.Batch batch = batch(config);
      Result result = run(model, batch);
      Golden golden = Golden.open(config + "/nf4-lora");
      double bound = 2 * 7 * model.config().layers() * Math.pow(2, -9);
      for (String name : golden.names()) {
        float[] whole =
            name.equals("logits")
                ? result.logits()
                : result.gradients().get(name.substring(5 + PeftFolder.PREFIX.length()));
        float[] expected = golden.values(name);
        float[] actual = golden.sampled(name, whole);
        double error = 0;
        double length = 0;
        for (int i = 0; i < expected.length; i++) {
          double d = (double) actual[i] - expected[i];
          error += d * d;
          length += (double) expected[i] * expected[i];
        }
        assertThat(Math.sqrt(error / length)).as(name).isLessThanOrEqualTo(bound);
      }
    }
  }

  @Test
  void quantizedCodesHaveTheBytesOfBitsAndBytes() throws NoSuchAlgorithmException {
    Golden golden = Golden.open(WIDE + "/nf4-state");
    try (Llama model = load(WIDE, Weights.NF4_F32)) {
      int compared = 0;
      for (Map.Entry<String, Weight> entry : model.linears().entrySet()) {
        String path = entry.getKey();
        Nf4Matrix.Parts parts = ((Weight.Nf4) entry.getValue()).matrix().export();
        byte[] codes = parts.codes().toArray(ValueLayout.JAVA_BYTE);
        String hash = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(codes));
        assertThat(hash)
            .as(path)
            .isEqualTo(golden.json().path("packed_sha256").path(path).asString());
        float offset = golden.values(path + ".weight.nested_offset")[0];
        // The order in which the mean of the scales is summed is not specified: 2 ulp.
        assertThat(Math.abs(parts.nestedOffset() - offset))
            .as(path)
            .isLessThanOrEqualTo(2 * Math.ulp(offset));
        if (parts.nestedOffset() == offset) {
          assertThat(parts.absmaxCodes().toArray(ValueLayout.JAVA_BYTE))
              .as(path)
              .isEqualTo(golden.bytes(path + ".weight.absmax"));
          assertThat(parts.nestedAbsmax())
              .as(path)
              .isEqualTo(golden.values(path + ".weight.nested_absmax"));
        }
        compared++;
      }
      assertThat(compared).isEqualTo(14);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"nf4", "nf4-plain"})
  void aBitsAndBytesFolderLoadsAndIsWrittenBackByteForByte(String name, @TempDir Path folder) {
    Path source = Golden.root().resolve(GROUPED).resolve(name);
    try (Llama model = Llama.load(source, device, Weights.AS_STORED)) {
      assertThat(model.quantized()).isTrue();
      ModelWriter.of(model).write(folder.resolve("copy"));
    }
    try (SafetensorsFile from = SafetensorsFile.open(source.resolve("model.safetensors"));
        SafetensorsFile to =
            SafetensorsFile.open(folder.resolve("copy").resolve("model.safetensors"))) {
      assertThat(to.names()).containsExactlyInAnyOrderElementsOf(from.names());
      for (String tensor : from.names()) {
        assertThat(to.entry(tensor).dtype()).as(tensor).isEqualTo(from.entry(tensor).dtype());
        assertThat(to.entry(tensor).shape()).as(tensor).isEqualTo(from.entry(tensor).shape());
        assertThat(to.data(tensor).mismatch(from.data(tensor))).as(tensor).isEqualTo(-1);
      }
    }
  }

  @Test
  void quantizingTheDenseFolderGivesTheStoredOne() {
    Path stored = Golden.root().resolve(GROUPED).resolve("nf4");
    try (Llama made = load(GROUPED, Weights.NF4);
        Llama loaded = Llama.load(stored, device, Weights.AS_STORED)) {
      loaded
          .linears()
          .forEach(
              (path, weight) -> {
                Nf4Matrix.Parts a = ((Weight.Nf4) weight).matrix().export();
                Nf4Matrix.Parts b = ((Weight.Nf4) made.linears().get(path)).matrix().export();
                assertThat(b.codes().mismatch(a.codes())).as(path).isEqualTo(-1);
              });
      assertThat(made.head().parameter().value().dtype()).isEqualTo(DType.BF16);
    }
  }
}
