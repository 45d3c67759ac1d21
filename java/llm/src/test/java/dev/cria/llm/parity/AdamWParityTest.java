package dev.cria.llm.parity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.autograd.Tape;
import dev.cria.llm.ForwardContext;
import dev.cria.llm.Llama;
import dev.cria.llm.Weights;
import dev.cria.llm.checkpoint.Json;
import dev.cria.llm.lora.Lora;
import dev.cria.llm.lora.PeftFolder;
import dev.cria.llm.train.History;
import dev.cria.llm.train.Item;
import dev.cria.llm.train.Metrics;
import dev.cria.llm.train.StepReport;
import dev.cria.llm.train.SupervisedObjective;
import dev.cria.llm.train.TextItem;
import dev.cria.llm.train.Trainer;
import dev.cria.llm.train.TrainerConfig;
import dev.cria.nn.Parameter;
import dev.cria.optim.AdamW;
import dev.cria.optim.AdamWConfig;
import dev.cria.optim.GradientBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/**
 * Ten steps of AdamW against PyTorch: each from the reference's own weights and moments, and the
 * whole run beside the reference's curve.
 */
@NullUnmarked
class AdamWParityTest {
  private static final double EPS = Math.pow(2, -24); // largest relative error of one rounding
  private static final double RATE = 1e-3;
  private static final double BETA1 = 0.9;
  private static final double BETA2 = 0.999;
  private static final double EPSILON = 1e-8;
  private static final double DECAY = 0.01;
  private static final AdamWConfig CONFIG =
      new AdamWConfig(BETA1, BETA2, (float) EPSILON, (float) DECAY, false);

  private static List<List<Item>> batches() {
    List<List<Item>> batches = new ArrayList<>();
    JsonNode file = Json.read(Golden.root().resolve("grouped-tied/adamw-batches.json"));
    for (JsonNode node : file.path("batches")) {
      Golden.Batch batch = Golden.Batch.of(node);
      List<Item> items = new ArrayList<>();
      for (int s = 0; s < batch.ids().length; s++) {
        items.add(new TextItem("golden", batch.ids()[s], batch.weights()[s]));
      }
      batches.add(items);
    }
    return batches;
  }

  private static float[] row(float[] all, int row, int rows) {
    int n = all.length / rows;
    return Arrays.copyOfRange(all, row * n, (row + 1) * n);
  }

  /** One golden series: weights, moments and gradients of a tensor at every step. */
  private record Series(float[] p, float[] m, float[] v, float[] g) {
    static Series of(Golden golden, String name) {
      return new Series(
          golden.values("p." + name),
          golden.values("m." + name),
          golden.values("v." + name),
          golden.values("g." + name));
    }
  }

  @ParameterizedTest
  @CsvSource({"adamw-full", "adamw-lora"})
  void everyUpdateFromTheReferencesStateAndGradient(String run) {
    Golden golden = Golden.open("grouped-tied/" + run);
    int compared = 0;
    try (Device device = Device.open("cpu")) {
      for (String entry : golden.names()) {
        if (entry.startsWith("p.")) {
          Series s = Series.of(golden, entry.substring(2));
          for (int t = 0; t < 10; t++) {
            checkUpdate(device, entry, s, t, golden.json().path("steps").get(t));
            compared++;
          }
        }
      }
    }
    assertThat(compared).isGreaterThan(200);
  }

  private static void checkUpdate(Device device, String name, Series s, int t, JsonNode step) {
    double clip = step.path("clip").asDouble();
    float[] p = row(s.p, t, 11);
    float[] m = row(s.m, t, 11);
    float[] v = row(s.v, t, 11);
    float[] g = row(s.g, t, 10);
    int n = p.length;
    float[] actual;
    float[] mean;
    float[] square;
    try (Scope scope = Scope.open()) {
      Parameter parameter = new Parameter(name, Tensor.of(device, p, n), true);
      try (GradientBuffer gradients = new GradientBuffer(device, List.of(parameter));
          AdamW optimizer = new AdamW(List.of(parameter), CONFIG)) {
        parameter.grad().copyFrom(g);
        Map<String, Tensor> state = optimizer.state();
        state.get(name + ".mean").copyFrom(m);
        state.get(name + ".square").copyFrom(v);
        optimizer.setStepCount(t);
        optimizer.step((float) RATE, (float) clip);
        actual = parameter.value().toFloats();
        mean = state.get(name + ".mean").toFloats();
        square = state.get(name + ".square").toFloats();
      }
    }
    double bias1 = 1 - Math.pow(BETA1, t + 1);
    double bias2 = 1 - Math.pow(BETA2, t + 1);
    float[] p1 = row(s.p, t + 1, 11);
    float[] m1 = row(s.m, t + 1, 11);
    float[] v1 = row(s.v, t + 1, 11);
    for (int i = 0; i < n; i++) {
      // Inputs are float64 rounded to float32 once; each operation rounds once more. Both terms of
      // the mean take part with their size, because they may cancel.
      double terms = BETA1 * Math.abs(m[i]) + (1 - BETA1) * clip * Math.abs(g[i]);
      double meanError = 6 * EPS * terms;
      double squareError = 8 * EPS * v1[i] + Float.MIN_NORMAL;
      double root = Math.sqrt(v1[i] / bias2) + EPSILON;
      double update = RATE / bias1 * Math.abs(m1[i]) / root;
      double error = 4 * EPS * Math.abs(p[i]) + RATE / bias1 * meanError / root + 12 * EPS * update;
      assertThat((double) mean[i])
          .as("m of %s %d, step %d", name, i, t)
          .isCloseTo(m1[i], within(meanError));
      assertThat((double) square[i])
          .as("v of %s %d, step %d", name, i, t)
          .isCloseTo(v1[i], within(squareError));
      assertThat((double) actual[i])
          .as("p of %s %d, step %d", name, i, t)
          .isCloseTo(p1[i], within(error));
    }
  }

  @Test
  void everyGradientOfAnAdapterFromTheReferencesWeights() {
    Golden golden = Golden.open("grouped-tied/adamw-lora");
    SupervisedObjective objective = new SupervisedObjective();
    List<List<Item>> batches = batches();
    try (Device device = Device.open("cpu");
        Llama model = Llama.load(Golden.root().resolve("grouped-tied/model"), device, Weights.F32);
        Scope scope = Scope.open()) {
      Lora.load(model, Golden.root().resolve("grouped-tied/adamw-adapter"));
      List<Parameter> parameters = model.trainedParameters();
      try (GradientBuffer gradients = new GradientBuffer(device, parameters)) {
        parameters.forEach(p -> p.setTrainable(true));
        for (int t = 0; t < 10; t++) {
          for (Parameter p : parameters) {
            p.value().copyFrom(row(golden.values("p." + PeftFolder.PREFIX + p.name()), t, 11));
          }
          gradients.zero();
          double weight = batches.get(t).stream().mapToDouble(Item::weight).sum();
          JsonNode step = golden.json().path("steps").get(t);
          try (Scope inner = Scope.open();
              Tape tape = Tape.record()) {
            var loss =
                objective.loss(
                    model,
                    batches.get(t),
                    ForwardContext.inference(model.activeAdapter()),
                    new Metrics());
            tape.backward(loss.sum());
            double expected = step.path("loss").asDouble();
            // As good as PyTorch's own float32 run, of which the file has the first step's error.
            double own =
                golden.json().path("loss_f32").get(0).asDouble()
                    - golden.json().path("steps").get(0).path("loss").asDouble();
            assertThat(loss.value() / weight)
                .isCloseTo(expected, within(4 * Math.abs(own) + 16 * EPS * expected));
          }
          double norm = step.path("grad_norm").asDouble();
          // A norm over n values whose relative errors are independent is better than each of them.
          assertThat(gradients.norm() / weight).isCloseTo(norm, within(1e-5 * norm));
          for (Parameter p : parameters) {
            String key = "g." + PeftFolder.PREFIX + p.name();
            float[] reference = row(golden.values(key), t, 10);
            float[] gradient = p.grad().toFloats();
            double own = golden.info(key).path("f32_error_by_row").get(0).asDouble();
            double largest = golden.info(key).path("max_abs").asDouble();
            for (int i = 0; i < reference.length; i++) {
              // Row 0 is PyTorch's float32 error from the same weights; later rows contain the
              // drift of its run. The largest sums have a few hundred terms.
              assertThat(gradient[i] / weight)
                  .as("%s element %d of step %d", key, i, t)
                  .isCloseTo(reference[i], within(8 * own + 64 * EPS * largest));
            }
          }
        }
        parameters.forEach(p -> p.setTrainable(false));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"adamw-full, false", "adamw-lora, true"})
  void theWholeRunStaysBesideTheReferencesCurve(String run, boolean lora) {
    Golden golden = Golden.open("grouped-tied/" + run);
    List<Item> items = new ArrayList<>();
    List<List<Item>> batches = batches();
    batches.forEach(items::addAll);
    int size = batches.getFirst().size();
    TrainerConfig config =
        TrainerConfig.defaults()
            .epochs(1)
            .shuffle(false)
            .batchTokens(100_000)
            .batchItems(size)
            .learningRate(RATE)
            .warmupSteps(0)
            .schedule(TrainerConfig.LearningRate.CONSTANT)
            .clipNorm(1)
            .adamw(CONFIG);
    try (Device device = Device.open("cpu");
        Llama model =
            Llama.load(Golden.root().resolve("grouped-tied/model"), device, Weights.F32)) {
      if (lora) {
        Lora.load(model, Golden.root().resolve("grouped-tied/adamw-adapter"));
      }
      History history = new Trainer(model, new SupervisedObjective(), config).train(items);
      List<Double> losses = history.steps().stream().map(StepReport::loss).toList();
      assertThat(losses).hasSize(10);
      for (int t = 0; t < 10; t++) {
        double expected = golden.json().path("steps").get(t).path("loss").asDouble();
        double own = Math.abs(golden.json().path("loss_f32").get(t).asDouble() - expected);
        // Another float32 run leaves the float64 curve as PyTorch's own does: of its size times
        // four, plus one part in 2^20 where PyTorch's happens to be small.
        assertThat(losses.get(t))
            .as("loss of step %d", t + 1)
            .isCloseTo(expected, within(4 * own + expected * Math.pow(2, -20)));
      }
    }
  }
}
