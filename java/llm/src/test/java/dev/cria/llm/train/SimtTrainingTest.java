package dev.cria.llm.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.cria.Device;
import dev.cria.NativeException;
import dev.cria.llm.ForwardContext;
import dev.cria.llm.Llama;
import dev.cria.llm.LlamaConfig;
import dev.cria.llm.Tiny;
import dev.cria.llm.Weights;
import dev.cria.llm.lora.Lora;
import dev.cria.llm.lora.LoraConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * A whole model trains on the kernels of the CUDA device, run by the emulator, as it does on the
 * CPU.
 */
@NullUnmarked
class SimtTrainingTest {
  /** Head width 100, as OpenLLaMA-3B has it. */
  private static final LlamaConfig TOY =
      new LlamaConfig(
          200,
          192,
          2,
          2,
          2,
          100,
          256,
          64,
          1e-6,
          10_000,
          false,
          OptionalInt.of(1),
          List.of(2),
          OptionalInt.empty(),
          Optional.empty(),
          0.05);

  /**
   * Products that a logit passes through one after the other and whose inputs are rounded to bf16:
   * in each of two blocks q or k, the scores, the values' average, o, gate or up, and down; the
   * head.
   */
  private static final int ROUNDED_PRODUCTS = 2 * 6 + 1;

  /** Two operands of a product, each rounded by at most 2^-9 of itself. */
  private static final double RELATIVE = ROUNDED_PRODUCTS / 256.0;

  private record Run(List<Double> losses, double largestLogit) {}

  @BeforeEach
  void needsTheEmulator() {
    try {
      Device.open("simt").close();
    } catch (NativeException e) {
      assumeTrue(false, "libcria_simt.so is not built (cmake -P native/cmake/build.cmake)");
    }
  }

  private static Run train(String name, Objective objective, List<Item> items, long steps) {
    try (Device device = Device.open(name);
        Llama model = Llama.init(TOY, device, Weights.NF4, 3)) {
      Lora.attach(model, LoraConfig.of(8, 16), 4);
      double largest =
          Tiny.maxAbs(Tiny.logits(model, ForwardContext.inference(null), Tiny.tokens(1, 24)));
      TrainerConfig config =
          TrainerConfig.defaults().learningRate(2e-3).batchItems(2).steps(steps).warmupSteps(2);
      History history = new Trainer(model, objective, config).train(items);
      return new Run(history.steps().stream().map(StepReport::loss).toList(), largest);
    }
  }

  /** Texts with something to learn: each counts up from a random start. */
  private static int[] counting(Random random, int length) {
    int start = 3 + random.nextInt(100);
    int[] ids = new int[length];
    for (int i = 0; i < length; i++) {
      ids[i] = start + i;
    }
    return ids;
  }

  /**
   * A loss moves by at most twice the error of a logit, which is that of its rounded products. Its
   * parameters drift as far as errors of the gradient let them, that is by that relative error of
   * what training has changed.
   */
  private static void assertEqualLosses(Run simt, Run cpu) {
    assertThat(simt.losses()).hasSameSizeAs(cpu.losses());
    double first = cpu.losses().getFirst();
    for (int i = 0; i < cpu.losses().size(); i++) {
      double moved = Math.abs(first - cpu.losses().get(i));
      double bound = 2 * RELATIVE * (cpu.largestLogit() + moved);
      assertThat(simt.losses().get(i))
          .as("step %d", i + 1)
          .isCloseTo(cpu.losses().get(i), within(bound));
    }
  }

  @Test
  void twentyStepsOfSupervisedTrainingFollowTheCpu() {
    Random random = new Random(7);
    List<Item> items = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      items.add(TextItem.of("text " + i, counting(random, 10 + random.nextInt(8))));
    }
    Run cpu = train("cpu", new SupervisedObjective(), items, 20);
    Run simt = train("simt", new SupervisedObjective(), items, 20);
    assertEqualLosses(simt, cpu);
    assertThat(simt.losses().getLast()).isLessThan(simt.losses().getFirst() - 0.5);
  }

  @Test
  void tenStepsOfDpoFollowTheCpuFromExactlyLogTwo() {
    Random random = new Random(8);
    List<Item> items = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      items.add(
          new PairItem(
              "pair " + i,
              counting(random, 8),
              counting(random, 5),
              Tiny.tokens(random.nextLong(), 5)));
    }
    Run cpu = train("cpu", new DpoObjective(0.5), items, 10);
    Run simt = train("simt", new DpoObjective(0.5), items, 10);
    assertThat(simt.losses().getFirst()).isEqualTo((double) (float) Math.log(2));
    assertEqualLosses(simt, cpu);
    assertThat(simt.losses().subList(1, 10)).doesNotContain(simt.losses().getFirst());
  }
}
