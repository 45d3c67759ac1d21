package dev.cria.llm.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.cria.llm.InvalidInputException;
import dev.cria.llm.TestData;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files made by hand: every stored type, and files that lie about what they hold. */
class GgufFileTest {
  @TempDir Path folder;

  /** Little-endian bytes of a version 3 file. */
  private static final class Bytes {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    Bytes u32(long value) {
      return raw(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt((int) value).array());
    }

    Bytes u64(long value) {
      return raw(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
    }

    Bytes half(float value) {
      return raw(
          ByteBuffer.allocate(2)
              .order(ByteOrder.LITTLE_ENDIAN)
              .putShort(Float.floatToFloat16(value))
              .array());
    }

    Bytes text(String value) {
      byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
      return u64(bytes.length).raw(bytes);
    }

    Bytes raw(byte... bytes) {
      out.writeBytes(bytes);
      return this;
    }

    Bytes header(long tensors, long keys) {
      return raw("GGUF".getBytes(StandardCharsets.US_ASCII)).u32(3).u64(tensors).u64(keys);
    }

    Bytes tensor(String name, int type, long offset, long... dimensions) {
      text(name).u32(dimensions.length);
      for (long d : dimensions) {
        u64(d);
      }
      return u32(type).u64(offset);
    }

    Bytes align() {
      while (out.size() % 32 != 0) {
        out.write(0);
      }
      return this;
    }

    Path write(Path folder) throws IOException {
      return Files.write(folder.resolve("x.gguf"), out.toByteArray());
    }
  }

  private float[] values(int type, int count, Bytes content) throws IOException {
    Bytes file =
        new Bytes().header(1, 0).tensor("t", type, 0, count).align().raw(content.out.toByteArray());
    try (GgufFile gguf = GgufFile.open(file.write(folder))) {
      float[] values = new float[count];
      gguf.readRows(gguf.tensor("t"), 0, 1, MemorySegment.ofArray(values));
      return values;
    }
  }

  @Test
  void plainTypesAreWidened() throws IOException {
    assertThat(
            values(
                0, 2, new Bytes().u32(Float.floatToIntBits(1.5f)).u32(Float.floatToIntBits(-2f))))
        .containsExactly(1.5f, -2f);
    assertThat(values(1, 2, new Bytes().half(0.25f).half(-65504f))).containsExactly(0.25f, -65504f);
    assertThat(values(30, 2, new Bytes().raw((byte) 0x80, (byte) 0x3F, (byte) 0, (byte) 0xC0)))
        .containsExactly(1f, -2f);
  }

  @Test
  void blocksAreScaleTimesCode() throws IOException {
    Bytes q8 = new Bytes().half(0.5f);
    Bytes q40 = new Bytes().half(2f);
    Bytes q41 = new Bytes().half(2f).half(-3f);
    float[] expected8 = new float[32];
    float[] expected40 = new float[32];
    float[] expected41 = new float[32];
    for (int i = 0; i < 32; i++) {
      q8.raw((byte) (i * 7 - 120));
      expected8[i] = 0.5f * (byte) (i * 7 - 120);
    }
    for (int i = 0; i < 16; i++) {
      int low = i;
      int high = 15 - i;
      q40.raw((byte) (high << 4 | low));
      q41.raw((byte) (high << 4 | low));
      expected40[i] = 2f * (low - 8);
      expected40[i + 16] = 2f * (high - 8);
      expected41[i] = 2f * low - 3f;
      expected41[i + 16] = 2f * high - 3f;
    }
    assertThat(values(8, 32, q8)).containsExactly(expected8, within(0f));
    assertThat(values(2, 32, q40)).containsExactly(expected40, within(0f));
    assertThat(values(3, 32, q41)).containsExactly(expected41, within(0f));
  }

  @Test
  void metadataOfEveryTypeIsRead() throws IOException {
    Bytes file = new Bytes().header(0, 6);
    file.text("a").u32(4).u32(0xFFFFFFFFL);
    file.text("b").u32(6).u32(Float.floatToIntBits(1e-5f));
    file.text("c").u32(7).raw((byte) 1);
    file.text("d").u32(8).text("ä");
    file.text("e").u32(9).u32(8).u64(2).text("x").text("y");
    file.text("f").u32(9).u32(5).u64(2).u32(1).u32(-1);
    try (GgufFile gguf = GgufFile.open(file.write(folder))) {
      assertThat(gguf.integer("a")).hasValue(0xFFFFFFFFL);
      assertThat(gguf.number("b")).hasValue(1e-5);
      assertThat(gguf.flag("c")).contains(true);
      assertThat(gguf.string("d")).contains("ä");
      assertThat(gguf.strings("e").orElseThrow()).containsExactly("x", "y");
      assertThat(gguf.integers("f").orElseThrow()).containsExactly(1, -1);
      assertThat(gguf.string("missing")).isEmpty();
      assertThatThrownBy(() -> gguf.string("a")).hasMessageContaining("a is not a string");
      assertThatThrownBy(() -> gguf.id("a")).hasMessageContaining("does not fit 32 bits");
    }
  }

  private void refused(Bytes file, String message) throws IOException {
    Path path = file.write(folder);
    assertThatThrownBy(() -> GgufFile.open(path).close())
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("x.gguf")
        .hasMessageContaining(message);
  }

  @Test
  void liesAreRefused() throws IOException {
    refused(new Bytes(), "not a GGUF file");
    refused(
        new Bytes().raw((byte) 'G', (byte) 'G', (byte) 'M', (byte) 'L').u32(3), "not a GGUF file");
    refused(new Bytes().raw("GGUF".getBytes(StandardCharsets.US_ASCII)).u32(4), "version 4");
    refused(new Bytes().header(1L << 60, 0), "number of tensors claims to be 1152921504606846976");
    refused(new Bytes().header(-1, 0), "18446744073709551615");
    refused(new Bytes().header(0, 1L << 40).u64(0), "number of metadata entries");
    refused(new Bytes().header(0, 1).u64(1L << 50), "length of the key");
    refused(
        new Bytes().header(0, 1).text("k").u32(9).u32(0).u64(1L << 33),
        "array k claims to be 8589934592");
    refused(new Bytes().header(0, 1).text("k").u32(77), "unknown value type 77");
    refused(
        new Bytes().header(0, 2).text("k").u32(4).u32(1).text("k").u32(4).u32(2), "k occurs twice");
    Bytes nested = new Bytes().header(0, 1).text("k").u32(9);
    for (int i = 0; i < 100; i++) {
      nested.u32(9).u64(1);
    }
    refused(nested, "nested more than");
    refused(
        new Bytes().header(1, 0).tensor("t", 14, 0, 256).align(),
        "tensor t: type Q6_K (14) is not supported");
    refused(new Bytes().header(1, 0).tensor("t", 999, 0, 256).align(), "type unknown (999)");
    refused(new Bytes().header(1, 0).tensor("t", 0, 0, 8).align(), "truncated or damaged");
    refused(
        new Bytes().header(1, 0).tensor("t", 0, 8, 1).align().u64(0), "a multiple of 32 expected");
    refused(
        new Bytes().header(1, 0).tensor("t", 0, -32, 1).align().u64(0),
        "a multiple of 32 expected");
    refused(new Bytes().header(1, 0).tensor("t", 8, 0, 33).align().u64(0), "rows of 33");
    refused(new Bytes().header(1, 0).tensor("t", 0, 0, 0).align(), "a dimension of 0");
    refused(
        new Bytes().header(1, 0).tensor("t", 0, 0, 1L << 40).align(),
        "a dimension of 1099511627776");
    refused(
        new Bytes().header(1, 0).tensor("t", 0, 0, 1 << 30, 1 << 30, 1 << 30, 1 << 30).align(),
        "a dimension of 1073741824");
    refused(new Bytes().header(1, 0).text("t").u32(9), "9 dimensions");
    byte[] data = new byte[64];
    refused(
        new Bytes().header(2, 0).tensor("a", 0, 0, 9).tensor("b", 0, 32, 4).align().raw(data),
        "a and b overlap");
    refused(
        new Bytes().header(2, 0).tensor("a", 0, 0, 4).tensor("a", 0, 32, 4).align().raw(data),
        "a occurs twice");
    refused(
        new Bytes().header(0, 1).text("general.alignment").u32(4).u32(24),
        "general.alignment is 24, a power of two expected");
  }

  @Test
  void everyTruncationOfARealFileIsRefused() throws IOException {
    byte[] bytes = Files.readAllBytes(TestData.path("stories260k/stories260K-f32.gguf"));
    for (int length = 0; length < bytes.length; length += 1 + length / 7) {
      Path path = Files.write(folder.resolve("cut.gguf"), Arrays.copyOf(bytes, length));
      assertThatThrownBy(() -> GgufCheckpoint.open(path).close())
          .isInstanceOf(InvalidInputException.class);
    }
  }

  @Test
  void randomChangesOfAHeaderNeverCrash() throws IOException {
    byte[] bytes = Files.readAllBytes(TestData.path("stories260k/stories260K-f32.gguf"));
    Random random = new Random(3);
    int refused = 0;
    for (int round = 0; round < 300; round++) {
      byte[] changed = bytes.clone();
      for (int i = 0; i < 4; i++) {
        changed[random.nextInt(16_000)] = (byte) random.nextInt();
      }
      Path path = Files.write(folder.resolve("changed.gguf"), changed);
      try (GgufCheckpoint checkpoint = GgufCheckpoint.open(path)) {
        assertThat(checkpoint.names()).isNotEmpty();
      } catch (InvalidInputException e) {
        refused++;
      }
    }
    assertThat(refused).isPositive();
  }
}
