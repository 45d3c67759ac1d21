package dev.cria.llm.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cria.llm.LlamaConfig;
import dev.cria.llm.TensorSource;
import dev.cria.llm.TestData;
import dev.cria.llm.llama2c.Llama2cCheckpoint;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Real checkpoints: shapes, names, values and the order of rotary rows. */
class GgufCheckpointTest {
  private static float[] read(TensorSource source, String name) {
    long[] shape = source.shape(name);
    long rows = shape.length == 1 ? 1 : shape[0];
    float[] values = new float[(int) (rows * shape[shape.length - 1])];
    source.readRows(name, 0, rows, MemorySegment.ofArray(values));
    return values;
  }

  @Test
  void ggufAndLlama2cHoldTheSameSmallModel() throws IOException {
    try (GgufCheckpoint gguf =
            GgufCheckpoint.open(TestData.path("stories260k/stories260K-f32.gguf"));
        Llama2cCheckpoint bin =
            Llama2cCheckpoint.open(TestData.path("stories260k/stories260K.bin"))) {
      assertThat(gguf.file().version()).isEqualTo(1);
      LlamaConfig config = bin.config();
      assertThat(gguf.config().tensorShapes().keySet()).isEqualTo(config.tensorShapes().keySet());
      assertThat(
              List.of(
                  config.hidden(),
                  config.intermediate(),
                  config.layers(),
                  config.heads(),
                  config.kvHeads()))
          .containsExactly(64, 172, 5, 8, 4);
      assertThat(List.of(config.headDim(), config.vocab(), config.context()))
          .containsExactly(8, 512, 512);
      assertThat(config.parameters()).isEqualTo(260_032);
      assertThat(config.tied()).isTrue();
      assertThat(gguf.config().tied()).isTrue();
      assertThat(gguf.config().rmsEps()).isEqualTo(config.rmsEps()).isEqualTo(1e-5);
      assertThat(gguf.config().eosIds()).isEqualTo(config.eosIds());
      assertThat(gguf.names()).isEqualTo(config.tensorShapes().keySet());
      for (String name : config.tensorShapes().keySet()) {
        assertThat(read(gguf, name)).as(name).isEqualTo(read(bin, name));
      }
    }
  }

  @Test
  void rowsOfQueryHeadsAreHalfSplit() throws IOException {
    try (GgufCheckpoint gguf =
        GgufCheckpoint.open(TestData.path("stories260k/stories260K-f32.gguf"))) {
      GgufTensor raw = gguf.file().tensor("blk.1.attn_q.weight");
      float[] rows = new float[64 * 64];
      gguf.file().readRows(raw, 0, 64, MemorySegment.ofArray(rows));
      float[] one = new float[64];
      // Row 2 of head 3 is its third even row, row 5 its second odd one.
      gguf.readRows(
          "model.layers.1.self_attn.q_proj.weight", 3 * 8 + 2, 1, MemorySegment.ofArray(one));
      assertThat(one)
          .isEqualTo(java.util.Arrays.copyOfRange(rows, (3 * 8 + 4) * 64, (3 * 8 + 5) * 64));
      gguf.readRows(
          "model.layers.1.self_attn.q_proj.weight", 3 * 8 + 5, 1, MemorySegment.ofArray(one));
      assertThat(one)
          .isEqualTo(java.util.Arrays.copyOfRange(rows, (3 * 8 + 3) * 64, (3 * 8 + 4) * 64));
    }
  }

  @Test
  void int8CheckpointIsWithinHalfAStepOfTheOriginal() throws IOException {
    try (Llama2cCheckpoint int8 =
            Llama2cCheckpoint.open(TestData.path("stories260k/stories260K-q8.bin"));
        Llama2cCheckpoint full =
            Llama2cCheckpoint.open(TestData.path("stories260k/stories260K.bin"))) {
      assertThat(int8.config()).isEqualTo(full.config());
      for (String name : full.names()) {
        float[] a = read(int8, name);
        float[] b = read(full, name);
        if (full.shape(name).length == 1) {
          assertThat(a).as(name).isEqualTo(b);
          continue;
        }
        for (int group = 0; group < a.length; group += 8) {
          float most = 0;
          for (int i = group; i < group + 8; i++) {
            most = Math.max(most, Math.abs(b[i]));
          }
          for (int i = group; i < group + 8; i++) {
            // Codes are rounded values of 127 steps; two float roundings may add a little.
            assertThat(Math.abs(a[i] - b[i]))
                .as(name)
                .isLessThanOrEqualTo(most / 254 + 4e-7f * most);
          }
        }
      }
    }
  }

  @Test
  void instructionTunedModelHasTheShapeOfItsReadme() throws IOException {
    try (GgufCheckpoint gguf =
        GgufCheckpoint.open(TestData.path("smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf"))) {
      LlamaConfig config = gguf.config();
      assertThat(config.parameters()).isEqualTo(134_515_008);
      assertThat(config.ropeTheta()).isEqualTo(100_000);
      assertThat(config.rmsEps()).isEqualTo(1e-5);
      assertThat(List.of(config.heads(), config.kvHeads(), config.headDim(), config.context()))
          .containsExactly(9, 3, 64, 8192);
      assertThat(config.eosIds()).containsExactly(2);
      assertThat(config.bosId()).hasValue(1);
      assertThat(gguf.file().string("tokenizer.chat_template").orElse("")).contains("im_start");
      assertThat(read(gguf, "model.layers.0.self_attn.k_proj.weight")).hasSize(192 * 576);
    }
  }
}
