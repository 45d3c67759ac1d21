package dev.cria.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.DeviceTest;
import dev.cria.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsTest extends DeviceTest {
  @TempDir Path folder;

  @Test
  void whatIsWrittenIsRead() throws IOException {
    Path path = folder.resolve("model.safetensors");
    Tensor w = randn(1, 3, 5);
    Tensor half = randn(2, 7).to(DType.BF16);
    try (SafetensorsWriter writer = SafetensorsWriter.create(path)) {
      writer.metadata("format", "pt").metadata("text", "\"quoted\" \u00e9\n");
      writer.declare("w", DType.F32, 3, 5).declare("half", DType.BF16, 7);
      writer.declare("raw", "U8", 3).declare("none", "I64", 0, 4).declare("one", "F64");
      writer.write("half", half);
      MemorySegment bytes = MemorySegment.ofArray(w.toBytes());
      writer.write("w", bytes.asSlice(0, 20));
      writer.write("raw", MemorySegment.ofArray(new byte[] {1, 2, 3}));
      writer.write("w", bytes.asSlice(20));
      writer.write("one", MemorySegment.ofArray(new double[] {1.5}));
      assertThat(path).doesNotExist();
      writer.commit();
    }
    assertThat(headerLength(path) % 64).isEqualTo(56);
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      assertThat(file.names()).containsExactly("w", "half", "raw", "none", "one");
      assertThat(file.metadata()).containsEntry("text", "\"quoted\" \u00e9\n").hasSize(2);
      assertThat(file.load("w", device).toFloats()).isEqualTo(w.toFloats());
      assertThat(file.load("half", device).toBytes()).isEqualTo(half.toBytes());
      assertThat(file.data("raw").toArray(ValueLayout.JAVA_BYTE)).containsExactly(1, 2, 3);
      assertThat(file.entry("none").shape()).containsExactly(0, 4);
      assertThat(file.entry("one").toString()).isEqualTo("F64[]");
      assertThat(file.data("one").get(ValueLayout.JAVA_DOUBLE_UNALIGNED, 0)).isEqualTo(1.5);
      assertThatThrownBy(() -> file.entry("x")).hasMessageContaining("has no tensor x");
      assertThatThrownBy(() -> file.load("one", device)).hasMessageContaining("F64[]");
      file.close();
    }
    try (var files = Files.list(folder)) {
      assertThat(files).containsExactly(path);
    }
  }

  private static long headerLength(Path path) throws IOException {
    return ByteBuffer.wrap(Files.readAllBytes(path)).order(ByteOrder.LITTLE_ENDIAN).getLong();
  }

  @Test
  void unfinishedFilesLeaveNothingBehind() throws IOException {
    Path path = folder.resolve("model.safetensors");
    Files.writeString(path, "old");
    try (SafetensorsWriter writer = SafetensorsWriter.create(path)) {
      writer.declare("a", DType.F32, 2);
      writer.write("a", MemorySegment.ofArray(new float[] {1}));
      assertThatThrownBy(writer::commit).hasMessageContaining("a has 8 bytes, only 4 were written");
      assertThatThrownBy(() -> writer.write("a", MemorySegment.ofArray(new float[2])))
          .hasMessageContaining("more were written");
      assertThatThrownBy(() -> writer.declare("b", DType.F32, 1))
          .hasMessageContaining("declared before");
    }
    assertThat(path).hasContent("old");
    try (var files = Files.list(folder)) {
      assertThat(files).containsExactly(path);
    }
    try (SafetensorsWriter writer = SafetensorsWriter.create(folder.resolve("no/such.st"))) {
      writer.declare("a", DType.F32, 0);
      assertThatThrownBy(writer::commit)
          .isInstanceOf(CriaException.class)
          .hasMessageContaining("cannot be written");
    }
  }

  /** A file with this header and this many bytes of data. */
  private Path file(String json, int dataBytes) throws IOException {
    byte[] header = json.getBytes(StandardCharsets.UTF_8);
    return bytes(header.length, header, dataBytes);
  }

  private Path bytes(long claimed, byte[] header, int dataBytes) throws IOException {
    ByteBuffer all =
        ByteBuffer.allocate(8 + header.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
    all.putLong(claimed).put(header);
    return Files.write(folder.resolve("bad.safetensors"), all.array());
  }

  private void refused(Path path, String... words) {
    assertThatThrownBy(() -> SafetensorsFile.open(path).close())
        .isInstanceOf(CriaException.class)
        .hasMessageStartingWith("safetensors: " + path)
        .satisfies(e -> assertThat(e.getMessage()).contains(words));
  }

  private static String entry(String name, String dtype, String shape, long start, long end) {
    return "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
        .formatted(name, dtype, shape, start, end);
  }

  @Test
  void wrongHeaderLengthsAreRefused() throws IOException {
    byte[] json = "{}".getBytes(StandardCharsets.UTF_8);
    refused(bytes(1L << 60, json, 0), "claims 1152921504606846976 bytes");
    refused(bytes(-1, json, 0), "claims 18446744073709551615 bytes");
    refused(bytes(3, json, 0), "claims 3 bytes", "the file has 10");
    refused(Files.write(folder.resolve("short"), new byte[7]), "7 bytes are too few");
    refused(folder.resolve("absent"), "cannot be read");
    SafetensorsFile.open(bytes(2, json, 0)).close();
  }

  @Test
  void wrongJsonIsRefused() throws IOException {
    refused(file("{\"a\":", 0), "not valid JSON");
    refused(file("[]", 0), "START_OBJECT expected");
    refused(file("{} {}", 0), "text after");
    refused(file("{\"a\":1}", 0), "a: START_OBJECT expected");
    refused(file("{\"a\":{\"dtype\":\"F32\"}}", 0), "dtype, shape and two data_offsets expected");
    refused(file("{" + entry("a", "F32", "[1.5]", 0, 4) + "}", 4), "shape");
    refused(file("{" + entry("a", "F32", "[99999999999999999999]", 0, 4) + "}", 4), "JSON");
    refused(file("{\"__metadata__\":{\"k\":{}}}", 0), "__metadata__: VALUE_STRING expected");
    refused(
        file("{" + entry("a", "U8", "[1]", 0, 1) + "," + entry("a", "U8", "[1]", 1, 2) + "}", 2),
        "uplicate",
        "a");
    String deep = "{\"a\":{\"x\":" + "[".repeat(2000) + "]".repeat(2000) + "}}";
    refused(file(deep, 0), "JSON");
  }

  @Test
  void wrongSizesAreRefused() throws IOException {
    refused(
        file("{" + entry("a", "F32", "[2,3]", 0, 20) + "}", 20),
        "a: F32[2, 3] takes 24 bytes",
        "[0, 20]");
    refused(file("{" + entry("a", "F32", "[1]", 4, 0) + "}", 4), "[4, 0]");
    refused(file("{" + entry("a", "F33", "[1]", 0, 4) + "}", 4), "unknown dtype \"F33\"");
    refused(file("{" + entry("a", "U8", "[-1]", 0, 1) + "}", 1), "negative dimension");
    refused(file("{" + entry("a", "F32", "[4294967296,4294967296]", 0, 0) + "}", 0), "overflows");
  }

  @Test
  void wrongPlacesAreRefused() throws IOException {
    String first = entry("a", "U8", "[4]", 0, 4);
    refused(
        file("{" + first + "," + entry("b", "U8", "[4]", 2, 6) + "}", 6), "b: starts", "inside");
    refused(file("{" + first + "," + entry("b", "U8", "[4]", 6, 10) + "}", 10), "after a gap");
    refused(file("{" + first + "}", 3), "ends at byte 4 of 3", "truncated");
    refused(file("{" + first + "}", 5), "1 bytes of data that belong to no tensor");
  }
}
