package dev.cria.llm.llama2c;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.llm.InvalidInputException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Checkpoints made by hand, and files whose size is not what their header says. */
class Llama2cCheckpointTest {
  @TempDir Path folder;

  /**
   * One layer: width 4, feed-forward 6, 2 heads, 1 kv head, vocabulary 3, context 5; value i at
   * float i.
   */
  private Path file(int vocab, int extraBytes) throws IOException {
    int floats =
        3 * 4 + 4 + (16 + 8 + 8 + 16) + 4 + 3 * 24 + 4 + 2 * 5 * 1 + (vocab < 0 ? 3 * 4 : 0);
    ByteBuffer out =
        ByteBuffer.allocate(28 + 4 * floats + extraBytes).order(ByteOrder.LITTLE_ENDIAN);
    for (int n : new int[] {4, 6, 1, 2, 1, vocab, 5}) {
      out.putInt(n);
    }
    for (int i = 0; i < floats; i++) {
      out.putFloat(i);
    }
    return Files.write(folder.resolve("m.bin"), out.array());
  }

  private static float[] read(Llama2cCheckpoint checkpoint, String name, int count) {
    float[] values = new float[count];
    long[] shape = checkpoint.shape(name);
    checkpoint.readRows(name, 0, shape.length == 1 ? 1 : shape[0], MemorySegment.ofArray(values));
    return values;
  }

  @Test
  void tensorsFollowOneAnotherInTheOrderOfTheFormat() throws IOException {
    try (Llama2cCheckpoint c = Llama2cCheckpoint.open(file(-3, 0))) {
      assertThat(c.config().tied()).isFalse();
      assertThat(c.names()).isEqualTo(c.config().tensorShapes().keySet());
      assertThat(read(c, "model.embed_tokens.weight", 12)[11]).isEqualTo(11);
      assertThat(read(c, "model.layers.0.input_layernorm.weight", 4)[0]).isEqualTo(12);
      assertThat(read(c, "model.layers.0.self_attn.q_proj.weight", 16)[0]).isEqualTo(16);
      assertThat(read(c, "model.layers.0.self_attn.v_proj.weight", 8)[0]).isEqualTo(40);
      assertThat(read(c, "model.layers.0.post_attention_layernorm.weight", 4)[0]).isEqualTo(64);
      // w1, w2, w3 are gate, down, up.
      assertThat(read(c, "model.layers.0.mlp.gate_proj.weight", 24)[0]).isEqualTo(68);
      assertThat(read(c, "model.layers.0.mlp.down_proj.weight", 24)[0]).isEqualTo(92);
      assertThat(read(c, "model.layers.0.mlp.up_proj.weight", 24)[0]).isEqualTo(116);
      assertThat(read(c, "model.norm.weight", 4)[0]).isEqualTo(140);
      assertThat(read(c, "lm_head.weight", 12)[0]).isEqualTo(154);
      float[] two = new float[8];
      c.readRows("model.layers.0.mlp.up_proj.weight", 2, 2, MemorySegment.ofArray(two));
      assertThat(two[0]).isEqualTo(124);
      assertThatThrownBy(() -> c.readRows("lm_head.weight", 2, 2, MemorySegment.ofArray(two)))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> c.shape("nope")).hasMessageContaining("no tensor nope");
    }
    try (Llama2cCheckpoint c = Llama2cCheckpoint.open(file(3, 0))) {
      assertThat(c.config().tied()).isTrue();
      assertThat(c.names()).doesNotContain("lm_head.weight");
    }
  }

  private void refused(Path file, String message) {
    assertThatThrownBy(() -> Llama2cCheckpoint.open(file).close())
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("m.bin")
        .hasMessageContaining(message);
  }

  @Test
  void filesOfAnotherSizeAreRefused() throws IOException {
    refused(file(3, 4), "bytes, the file has");
    Path cut = file(3, 0);
    byte[] bytes = Files.readAllBytes(cut);
    refused(
        Files.write(cut, java.util.Arrays.copyOf(bytes, bytes.length - 1)), "bytes, the file has");
    refused(Files.write(cut, new byte[10]), "not a llama2.c checkpoint: 10 bytes");
    refused(Files.write(cut, new byte[400]), "hidden_size is 0");
    refused(
        Files.write(
            cut,
            "a text that is no checkpoint at all, but long enough"
                .getBytes(java.nio.charset.StandardCharsets.UTF_8)),
        "not a llama2.c checkpoint");
    ByteBuffer modern =
        ByteBuffer.allocate(256).order(ByteOrder.LITTLE_ENDIAN).putInt(0x616B3432).putInt(3);
    refused(Files.write(cut, modern.array()), "version 3");
  }
}
