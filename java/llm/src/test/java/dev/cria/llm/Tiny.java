package dev.cria.llm;

import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.llm.lora.Adapter;
import dev.cria.llm.train.Item;
import dev.cria.llm.train.PairItem;
import dev.cria.llm.train.TextItem;
import dev.cria.nn.Parameter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;

/** Small models and data for tests. */
public final class Tiny {
  private Tiny() {}

  /** Grouped heads, tied head, sizes that are no multiples of anything; 3 blocks. */
  public static LlamaConfig config() {
    return config(true, 3);
  }

  /** The same with or without a head of its own. */
  public static LlamaConfig config(boolean tied, int layers) {
    return new LlamaConfig(
        40,
        72,
        layers,
        4,
        2,
        12,
        97,
        64,
        1e-5,
        10_000,
        tied,
        OptionalInt.of(1),
        List.of(2),
        OptionalInt.empty(),
        Optional.empty(),
        0.15);
  }

  /** Random tokens. */
  public static int[] tokens(long seed, int count) {
    return new Random(seed).ints(count, 3, 97).toArray();
  }

  /** Texts of 3 to 20 tokens. */
  public static List<Item> texts(long seed, int count) {
    Random random = new Random(seed);
    List<Item> items = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      items.add(TextItem.of("text " + i, tokens(random.nextLong(), 3 + random.nextInt(18))));
    }
    return items;
  }

  /** Pairs with prompts of 2 to 9 tokens and answers of 1 to 12. */
  public static List<Item> pairs(long seed, int count) {
    Random random = new Random(seed);
    List<Item> items = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      items.add(
          new PairItem(
              "pair " + i,
              tokens(random.nextLong(), 2 + random.nextInt(8)),
              tokens(random.nextLong(), 1 + random.nextInt(12)),
              tokens(random.nextLong(), 1 + random.nextInt(12))));
    }
    return items;
  }

  /** Logits of every row of one text. */
  public static float[] logits(Llama model, ForwardContext context, int... ids) {
    try (Scope scope = Scope.open()) {
      return model.logits(model.hidden(TokenBatch.of(ids), context)).toFloats();
    }
  }

  /** Fills B of every matrix, which is zero in a new adapter, with small numbers. */
  public static void fillB(Adapter adapter, long seed) {
    try (Scope scope = Scope.open()) {
      for (Parameter p : adapter.parameters()) {
        if (p.name().endsWith("lora_B.weight")) {
          Tensor random =
              Tensor.randn(
                  p.value().device(),
                  Keys.of(seed, p.name()),
                  0,
                  0.05f,
                  dev.cria.DType.F32,
                  p.value().shape());
          p.value().copyFrom(random);
        }
      }
    }
  }

  /** The CPU device with its usual threads. */
  public static Device cpu() {
    return Device.open("cpu");
  }

  /** Largest absolute difference. */
  public static double maxDifference(float[] a, float[] b) {
    if (a.length != b.length) {
      return Double.POSITIVE_INFINITY;
    }
    double most = 0;
    for (int i = 0; i < a.length; i++) {
      double d = Math.abs((double) a[i] - b[i]);
      most = Double.isNaN(d) ? Double.POSITIVE_INFINITY : Math.max(most, d);
    }
    return most;
  }

  /** Largest absolute value. */
  public static double maxAbs(float[] a) {
    double most = 0;
    for (float v : a) {
      most = Math.max(most, Math.abs(v));
    }
    return most;
  }
}
