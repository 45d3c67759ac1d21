package dev.cria.llm.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.cria.CriaException;
import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.autograd.DpoKind;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.Llama;
import dev.cria.llm.Tiny;
import dev.cria.llm.Weights;
import dev.cria.llm.data.DataSet;
import dev.cria.llm.data.Encoder;
import dev.cria.llm.lora.Adapter;
import dev.cria.llm.lora.Lora;
import dev.cria.llm.lora.LoraConfig;
import dev.cria.nn.Parameter;
import dev.cria.optim.AdamWConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The training loop: what must not change its result, and what must stop it. */
@NullUnmarked
class TrainerTest {
  private static final TrainerConfig QUICK =
      TrainerConfig.defaults()
          .learningRate(5e-3)
          .batchTokens(40)
          .warmupSteps(2)
          .schedule(TrainerConfig.LearningRate.COSINE);

  /** Losses and trained weights of a run. */
  private record Outcome(List<Double> losses, List<float[]> weights, History history) {}

  private static Outcome train(
      int threads,
      Weights form,
      boolean lora,
      Objective objective,
      TrainerConfig config,
      List<Item> items,
      TrainerListener listener) {
    try (Device device = Device.open("cpu", threads);
        Llama model = Llama.init(Tiny.config(), device, form, 2);
        Scope scope = Scope.open()) {
      if (lora) {
        Lora.attach(model, LoraConfig.of(3, 6).dropout(0.1), 4);
      }
      History history =
          new Trainer(model, objective, config)
              .listener(listener)
              .heldOut(items.subList(0, 3))
              .train(items);
      List<float[]> weights = new ArrayList<>();
      for (Parameter p : model.trainedParameters()) {
        weights.add(p.value().to(dev.cria.DType.F32).toFloats());
      }
      return new Outcome(history.steps().stream().map(StepReport::loss).toList(), weights, history);
    }
  }

  private static final TrainerListener SILENT = new TrainerListener() {};

  @ParameterizedTest
  @CsvSource({"F32, false", "BF16, false", "F32, true", "NF4, true"})
  void theLossFalls(Weights form, boolean lora) {
    List<Item> items = Tiny.texts(1, 12);
    History history =
        train(2, form, lora, new SupervisedObjective(), QUICK.epochs(12), items, SILENT).history();
    Estimate before = history.evaluations().getFirst().loss();
    Estimate after = history.evaluations().getLast().loss();
    assertThat(after.mean()).isLessThan(before.mean() - 0.3);
    assertThat(history.steps()).extracting(StepReport::step).startsWith(1L, 2L, 3L);
  }

  @ParameterizedTest
  @CsvSource({"F32, false, false", "F32, true, false", "NF4, true, false", "NF4, true, true"})
  void theNumberOfThreadsDoesNotChangeABit(Weights form, boolean lora, boolean dpo) {
    List<Item> items = dpo ? Tiny.pairs(3, 8) : Tiny.texts(3, 10);
    Outcome one = train(1, form, lora, objective(dpo), QUICK.steps(4), items, SILENT);
    Outcome two = train(2, form, lora, objective(dpo), QUICK.steps(4), items, SILENT);
    assertSame(two, one);
  }

  private static Objective objective(boolean dpo) {
    return dpo ? new DpoObjective(0.1) : new SupervisedObjective();
  }

  private static void assertSame(Outcome actual, Outcome expected) {
    assertThat(actual.losses()).isEqualTo(expected.losses());
    assertThat(actual.weights()).hasSameSizeAs(expected.weights());
    for (int i = 0; i < actual.weights().size(); i++) {
      assertThat(actual.weights().get(i)).isEqualTo(expected.weights().get(i));
    }
  }

  /** Stops a run from outside, as a kill does, after a number of steps. */
  private static final class Interrupt implements TrainerListener {
    private final long after;

    Interrupt(long after) {
      this.after = after;
    }

    @Override
    public void step(StepReport report) {
      if (report.step() == after) {
        throw new IllegalStateException("interrupted");
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "F32, true, false, false",
    "BF16, false, false, false",
    "F32, false, false, true",
    "NF4, true, true, false",
    "F32, true, true, true"
  })
  void aResumedRunEndsInTheSameBits(
      Weights form, boolean lora, boolean dpo, boolean eightBit, @TempDir Path folder)
      throws java.io.IOException {
    List<Item> items = dpo ? Tiny.pairs(5, 9) : Tiny.texts(5, 14);
    TrainerConfig config =
        QUICK
            .epochs(4)
            .accumulate(2)
            .evaluateEvery(4)
            .adamw(new AdamWConfig(0.9, 0.999, 1e-8f, 0.01f, eightBit));
    Outcome whole = train(2, form, lora, objective(dpo), config, items, SILENT);
    int steps = whole.losses().size();
    assertThat(steps).isGreaterThan(7);
    TrainerConfig saving = config.checkpoints(folder, 3, 2).resume(true);
    assertThatThrownBy(() -> train(2, form, lora, objective(dpo), saving, items, new Interrupt(5)))
        .hasMessage("interrupted");
    // What a writer that was killed leaves: it must be neither picked nor kept.
    Path torn = folder.resolve(".cria-tmp-1-2");
    assertThat(torn.toFile().mkdir() && torn.resolve("state.json").toFile().createNewFile())
        .isTrue();
    long[] resumedAt = {-1};
    int[] repeated = {0};
    TrainerListener watch =
        new TrainerListener() {
          @Override
          public void resumed(long step, History history) {
            resumedAt[0] = step;
          }

          @Override
          public void step(StepReport report) {
            repeated[0]++;
          }
        };
    Outcome resumed = train(2, form, lora, objective(dpo), saving, items, watch);
    assertThat(resumedAt[0]).isEqualTo(3);
    assertThat(repeated[0]).isEqualTo(steps - 3);
    assertSame(resumed, whole);
    assertThat(resumed.history().evaluations().stream().map(EvalReport::figures).toList())
        .isEqualTo(whole.history().evaluations().stream().map(EvalReport::figures).toList());
    try (var list = java.nio.file.Files.list(folder)) {
      assertThat(list.map(p -> p.getFileName().toString()))
          .containsExactlyInAnyOrder("checkpoint-" + steps, "checkpoint-" + (steps - 1) / 3 * 3);
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void otherSettingsOrDataCannotBeResumed(@TempDir Path folder) {
    List<Item> items = Tiny.texts(5, 6);
    TrainerConfig saving = QUICK.epochs(1).checkpoints(folder, 1, 2).resume(true);
    train(2, Weights.F32, true, new SupervisedObjective(), saving, items, SILENT);
    assertThatThrownBy(
            () ->
                train(
                    2,
                    Weights.F32,
                    true,
                    new SupervisedObjective(),
                    saving.learningRate(1),
                    items,
                    SILENT))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("other settings");
    assertThatThrownBy(
            () ->
                train(
                    2,
                    Weights.F32,
                    true,
                    new SupervisedObjective(),
                    saving,
                    Tiny.texts(6, 6),
                    SILENT))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("other data");
  }

  @Test
  void accumulatedMicroBatchesEqualOneLargeBatch() {
    List<Item> items = Tiny.texts(8, 9);
    TrainerConfig one =
        QUICK.steps(1).shuffle(false).batchTokens(100_000).clipNorm(0).learningRate(0);
    TrainerConfig many = one.batchTokens(1).accumulate(9);
    StepReport a = step(items, one);
    StepReport b = step(items, many);
    assertThat(b.weight()).isEqualTo(a.weight());
    // The same numbers summed in another order, in float32: see LlamaTest.
    assertThat(b.loss()).isCloseTo(a.loss(), within(100 * 1.2e-7 * a.loss()));
    assertThat(b.gradientNorm())
        .isCloseTo(a.gradientNorm(), within(100 * 1.2e-7 * a.gradientNorm()));
  }

  private static StepReport step(List<Item> items, TrainerConfig config) {
    return train(2, Weights.F32, false, new SupervisedObjective(), config, items, SILENT)
        .history()
        .steps()
        .getFirst();
  }

  @ParameterizedTest
  @EnumSource(DpoKind.class)
  void thePreferenceLossStartsWhereThePoliciesAreEqual(DpoKind kind) {
    double first =
        train(
                2,
                Weights.NF4,
                true,
                new DpoObjective(kind, 0.1, 0),
                QUICK.steps(1),
                Tiny.pairs(7, 6),
                SILENT)
            .losses()
            .getFirst();
    double expected =
        switch (kind) {
          case SIGMOID -> Math.log(2);
          case IPO, IPO_SUM -> 25; // (0 - 1 / (2 * 0.1))^2
          case HINGE -> 1;
        };
    assertThat(first).isCloseTo(expected, within(1e-6 * expected));
  }

  @Test
  void thePreferenceLossStartsAtLnTwoWithAGivenAdapterToo() {
    List<Item> pairs = Tiny.pairs(7, 6);
    try (Scope scope = Scope.open();
        Device device = Tiny.cpu();
        Llama model = Llama.init(Tiny.config(), device, Weights.NF4, 2)) {
      Adapter given = Lora.attach(model, LoraConfig.of(3, 6).dropout(0.3), 4);
      Tiny.fillB(given, 3);
      History history =
          new Trainer(model, new DpoObjective(0.1), QUICK.epochs(10)).heldOut(pairs).train(pairs);
      assertThat(history.steps().getFirst().loss()).isCloseTo(Math.log(2), within(1e-6));
      Map<String, Estimate> before = history.evaluations().getFirst().figures();
      Map<String, Estimate> after = history.evaluations().getLast().figures();
      assertThat(before.get("accuracy").mean()).isEqualTo(0.5);
      assertThat(after.get("accuracy").mean()).isGreaterThan(0.9);
      assertThat(after.get("loss").mean()).isLessThan(0.4);
    }
  }

  @Test
  void aStepLeavesNoMemoryBehind() {
    List<Item> items = Tiny.texts(5, 12);
    List<Long> live = new ArrayList<>();
    TrainerListener watch =
        new TrainerListener() {
          @Override
          public void step(StepReport report) {
            live.add(report.liveBytes());
          }
        };
    train(2, Weights.NF4, true, new SupervisedObjective(), QUICK.epochs(2), items, watch);
    assertThat(live).hasSizeGreaterThan(3).containsOnly(live.getFirst());
  }

  @Test
  void anExceptionInsideAStepLeavesNoMemoryBehind() {
    try (Device device = Tiny.cpu();
        Llama model = Llama.init(Tiny.config(), device, Weights.NF4, 2)) {
      Lora.attach(model, LoraConfig.of(3, 6), 4);
      long before = device.liveBytes();
      Objective broken =
          new Objective() {
            private final Objective whole = new SupervisedObjective();

            @Override
            public String name() {
              return "broken";
            }

            @Override
            public String settings() {
              return "broken";
            }

            @Override
            public List<Item> encode(Encoder encoder, DataSet data) {
              return List.of();
            }

            @Override
            public void check(Item item) {}

            @Override
            public Loss loss(
                Llama m, List<Item> items, dev.cria.llm.ForwardContext c, Metrics metrics) {
              whole.loss(m, items, c, metrics);
              throw new IllegalStateException("on purpose");
            }

            @Override
            public Map<String, Samples> evaluate(
                Llama m,
                List<Item> items,
                dev.cria.llm.ForwardContext c,
                long batchRows,
                Progress progress) {
              return Map.of();
            }
          };
      assertThatThrownBy(() -> new Trainer(model, broken, QUICK.steps(1)).train(Tiny.texts(1, 4)))
          .hasMessage("on purpose");
      assertThat(device.liveBytes()).isEqualTo(before);
    }
  }

  @Test
  void aLossThatIsNotFiniteStopsTheRunAndKeepsTheCheckpoint(@TempDir Path folder) {
    List<Item> items = Tiny.texts(5, 8);
    TrainerConfig config = QUICK.epochs(50).checkpoints(folder, 1, 2);
    try (Scope scope = Scope.open();
        Device device = Tiny.cpu();
        Llama model = Llama.init(Tiny.config(), device, Weights.F32, 2)) {
      Parameter gain = model.parameters().get("model.norm.weight");
      TrainerListener poison =
          new TrainerListener() {
            @Override
            public void checkpointed(long step, Path directory) {
              if (step == 2) {
                gain.value().fill(Float.NaN);
              }
            }
          };
      assertThatThrownBy(
              () ->
                  new Trainer(model, new SupervisedObjective(), config)
                      .listener(poison)
                      .train(items))
          .isInstanceOf(CriaException.class)
          .hasMessageContaining("step 3")
          .hasMessageContaining("NaN")
          .hasMessageContaining("checkpoint-2");
    }
    assertThat(TrainingCheckpoint.newest(folder)).hasValue(folder.resolve("checkpoint-2"));
  }

  @Test
  void withoutDataThereIsNothingToTrain() {
    try (Device device = Tiny.cpu();
        Llama model = Llama.init(Tiny.config(), device, Weights.F32, 2)) {
      Trainer trainer = new Trainer(model, new SupervisedObjective(), QUICK);
      assertThatThrownBy(() -> trainer.train(List.of()))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("nothing to learn from");
      assertThatThrownBy(() -> trainer.train(List.of(TextItem.of("long one", Tiny.tokens(1, 65)))))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("long one")
          .hasMessageContaining("65 tokens");
      assertThatThrownBy(() -> trainer.train(Tiny.pairs(1, 2)))
          .isInstanceOf(CriaException.class)
          .hasMessageContaining("pair 0");
    }
  }

  @Test
  void nf4WeightsCannotBeTrainedWithoutAnAdapter() {
    try (Device device = Tiny.cpu();
        Llama model = Llama.init(Tiny.config(), device, Weights.NF4, 2)) {
      assertThatThrownBy(
              () -> new Trainer(model, new SupervisedObjective(), QUICK).train(Tiny.texts(1, 2)))
          .isInstanceOf(CriaException.class)
          .hasMessageContaining("attach an adapter");
    }
  }

  @Test
  void aMemoryLimitThatIsTooSmallNamesTheLeastPossible() {
    try (Device device = Tiny.cpu();
        Llama model = Llama.init(Tiny.config(), device, Weights.F32, 2)) {
      assertThatThrownBy(
              () ->
                  new Trainer(model, new SupervisedObjective(), QUICK.memoryLimit(1 << 20))
                      .train(Tiny.texts(1, 2)))
          .isInstanceOf(CriaException.class)
          .hasMessageContaining("at least")
          .hasMessageContaining("1 MiB are allowed");
    }
  }
}
