package dev.cria.llm.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.CriaException;
import dev.cria.Device;
import dev.cria.llm.ForwardContext;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.Llama;
import dev.cria.llm.Tiny;
import dev.cria.llm.Weights;
import dev.cria.llm.checkpoint.ModelWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Adapters: making, switching, saving, merging. */
class LoraTest {
  private final int[] ids = Tiny.tokens(11, 13);
  private Device device;
  private Llama model;

  @BeforeEach
  void open() {
    device = Tiny.cpu();
    model = Llama.init(Tiny.config(), device, Weights.F32, 3);
  }

  @AfterEach
  void close() {
    model.close();
    assertThat(device.liveBytes()).isZero();
    device.close();
  }

  @Test
  void aNewAdapterChangesNothing() {
    float[] bare = Tiny.logits(model, model.inference(), ids);
    Lora.attach(model, LoraConfig.of(4, 8), 1);
    assertThat(Tiny.logits(model, model.inference(), ids)).isEqualTo(bare);
  }

  @Test
  void targetsAreEndsOfNames() {
    assertThat(Lora.attach(model, LoraConfig.of(2, 2).targets("q_proj", "mlp.up_proj")).modules())
        .containsExactly(
            "model.layers.0.self_attn.q_proj",
            "model.layers.0.mlp.up_proj",
            "model.layers.1.self_attn.q_proj",
            "model.layers.1.mlp.up_proj",
            "model.layers.2.self_attn.q_proj",
            "model.layers.2.mlp.up_proj");
    assertThatThrownBy(() -> Lora.attach(model, LoraConfig.of(2, 2).targets("proj")))
        .isInstanceOf(CriaException.class)
        .hasMessageContaining("[proj]");
  }

  @Test
  void rankZeroIsRefused() {
    assertThatThrownBy(() -> LoraConfig.of(0, 8))
        .isInstanceOf(CriaException.class)
        .hasMessageContaining("rank is 0");
  }

  @Test
  void aSavedAdapterComesBackBitForBit(@TempDir Path folder) {
    Adapter adapter = Lora.attach(model, LoraConfig.of(3, 5).dropout(0.1), 9);
    Tiny.fillB(adapter, 4);
    float[] before = Tiny.logits(model, model.inference(), ids);
    adapter.save(folder.resolve("adapter"));
    Adapter loaded = Lora.load(model, folder.resolve("adapter"), "loaded");
    assertThat(Tiny.logits(model, model.inference(), ids)).isEqualTo(before);
    assertThat(loaded.config().rank()).isEqualTo(3);
    assertThat(loaded.config().dropout()).isEqualTo(0.1);
    assertThat(loaded.modules()).isEqualTo(adapter.modules());
    assertThat(model.adapters()).containsOnlyKeys("default", "loaded");
    assertThatThrownBy(() -> adapter.save(folder.resolve("adapter")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("exists already");
  }

  @Test
  void aRankThatContradictsTheTensorsIsAnError(@TempDir Path folder) throws IOException {
    Path saved = folder.resolve("adapter");
    Lora.attach(model, LoraConfig.of(3, 5)).save(saved);
    Path config = saved.resolve("adapter_config.json");
    Files.writeString(config, Files.readString(config).replaceAll("\"r\"\\s*:\\s*3", "\"r\": 4"));
    assertThatThrownBy(() -> Lora.load(model, saved))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("lora_A.weight")
        .hasMessageContaining("rank 4");
  }

  @Test
  void anAdapterOfAnotherModelIsRefused(@TempDir Path folder) {
    Path saved = folder.resolve("adapter");
    Lora.attach(model, LoraConfig.of(2, 2)).save(saved);
    try (Llama smaller = Llama.init(Tiny.config(true, 2), device, Weights.F32, 1)) {
      assertThatThrownBy(() -> Lora.load(smaller, saved))
          .isInstanceOf(CriaException.class)
          .hasMessageContaining("model.layers.2.");
    }
  }

  @Test
  void mergedAndUnmergedModelsAgree(@TempDir Path folder) {
    Adapter adapter = Lora.attach(model, LoraConfig.of(4, 8), 2);
    Tiny.fillB(adapter, 6);
    float[] unmerged = Tiny.logits(model, model.inference(), ids);
    float[] bare = Tiny.logits(model, ForwardContext.inference(null), ids);
    ModelWriter.of(model).merge(adapter).write(folder.resolve("merged"));
    try (Llama merged = Llama.load(folder.resolve("merged"), device, Weights.AS_STORED)) {
      float[] logits = Tiny.logits(merged, merged.inference(), ids);
      // Other order of the same sums: see LlamaTest.
      assertThat(Tiny.maxDifference(logits, unmerged))
          .isLessThanOrEqualTo(100 * Math.ulp(1f) * Math.max(1, Tiny.maxAbs(unmerged)));
      assertThat(Tiny.maxDifference(logits, bare)).isGreaterThan(1e-3);
    }
  }

  @Test
  void aMergedNf4ModelIsStoredDenseUnlessAskedOtherwise(@TempDir Path folder) {
    try (Llama nf4 = Llama.init(Tiny.config(), device, Weights.NF4, 3)) {
      Adapter adapter = Lora.attach(nf4, LoraConfig.of(4, 8), 2);
      Tiny.fillB(adapter, 6);
      ModelWriter.of(nf4).merge(adapter).write(folder.resolve("dense"));
      ModelWriter.of(nf4).merge(adapter).form(Weights.F32).write(folder.resolve("f32"));
      ModelWriter.of(nf4).merge(adapter).form(Weights.NF4).write(folder.resolve("nf4"));
      float[] unmerged = Tiny.logits(nf4, nf4.inference(), ids);
      try (Llama dense = Llama.load(folder.resolve("dense"), device, Weights.AS_STORED);
          Llama wide = Llama.load(folder.resolve("f32"), device, Weights.AS_STORED);
          Llama again = Llama.load(folder.resolve("nf4"), device, Weights.AS_STORED)) {
        assertThat(dense.quantized()).isFalse();
        assertThat(again.quantized()).isTrue();
        // bf16 products round inputs and weights to 2^-9 of their size, in 7 matrices of 3 blocks.
        double tolerance = 21 * Math.pow(2, -8) * Tiny.maxAbs(unmerged);
        assertThat(Tiny.maxDifference(Tiny.logits(dense, dense.inference(), ids), unmerged))
            .isLessThanOrEqualTo(tolerance);
        assertThat(Tiny.maxDifference(Tiny.logits(wide, wide.inference(), ids), unmerged))
            .isLessThanOrEqualTo(tolerance);
      }
    }
  }

  @Test
  void aWeightedSetAddsItsParts() {
    Adapter one = Lora.attach(model, LoraConfig.of(2, 4), 1);
    Tiny.fillB(one, 1);
    float[] logits = Tiny.logits(model, model.inference(), ids);
    try (Adapter half = Adapter.weighted("half twice", device, Map.of(one, 1.0f))) {
      assertThat(
              Tiny.maxDifference(Tiny.logits(model, ForwardContext.inference(half), ids), logits))
          .isLessThanOrEqualTo(100 * Math.ulp(1f) * Math.max(1, Tiny.maxAbs(logits)));
    }
    try (Adapter none = Adapter.weighted("none", device, Map.of(one, 0f))) {
      assertThat(Tiny.logits(model, ForwardContext.inference(none), ids))
          .isEqualTo(Tiny.logits(model, ForwardContext.inference(null), ids));
    }
  }
}
