package dev.cria.llm.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.Device;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.Llama;
import dev.cria.llm.Tiny;
import dev.cria.llm.Weights;
import dev.cria.safetensors.SafetensorsFile;
import dev.cria.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.jspecify.annotations.NullUnmarked;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Model folders: what is written comes back, and what is broken is refused. */
@NullUnmarked
class FolderTest {
  private static final String UP = "model.layers.1.mlp.up_proj.weight";

  @TempDir Path temporary;
  private Device device;

  @BeforeEach
  void open() {
    device = Tiny.cpu();
  }

  @AfterEach
  void nothingIsLeft() {
    assertThat(device.liveBytes()).isZero();
    device.close();
  }

  private Path save(Weights form, String name) {
    Path folder = temporary.resolve(name);
    try (Llama model = Llama.init(Tiny.config(), device, form, 5)) {
      ModelWriter.of(model).write(folder);
    }
    return folder;
  }

  @ParameterizedTest
  @EnumSource(
      value = Weights.class,
      names = {"F32", "BF16", "NF4", "NF4_F32"})
  void savingLoadingAndSavingGivesTheSameBytes(Weights form) throws IOException {
    Path first = save(form, "first");
    Path second = temporary.resolve("second");
    int[] ids = Tiny.tokens(1, 9);
    try (Llama made = Llama.init(Tiny.config(), device, form, 5);
        Llama loaded = Llama.load(first, device, Weights.AS_STORED)) {
      assertThat(Tiny.logits(loaded, loaded.inference(), ids))
          .isEqualTo(Tiny.logits(made, made.inference(), ids));
      assertThat(loaded.quantized()).isEqualTo(made.quantized());
      ModelWriter.of(loaded).write(second);
    }
    try (Stream<Path> files = Files.list(first)) {
      for (Path file : files.toList()) {
        assertThat(second.resolve(file.getFileName())).hasSameBinaryContentAs(file);
      }
    }
  }

  @Test
  void dataIsAlignedTo64Bytes() throws IOException {
    Path file = save(Weights.F32, "model").resolve("model.safetensors");
    try (var channel = Files.newByteChannel(file)) {
      var length = java.nio.ByteBuffer.allocate(8).order(java.nio.ByteOrder.LITTLE_ENDIAN);
      channel.read(length);
      assertThat((8 + length.getLong(0)) % 64).isZero();
    }
  }

  @Test
  void aLargeModelIsWrittenInShards() {
    Path whole = save(Weights.F32, "whole");
    Path sharded = temporary.resolve("sharded");
    int[] ids = Tiny.tokens(1, 9);
    try (Llama model = Llama.load(whole, device, Weights.F32)) {
      ModelWriter.of(model).shardBytes(30_000).write(sharded);
      assertThat(sharded.resolve("model.safetensors")).doesNotExist();
      assertThat(sharded.resolve("model.safetensors.index.json")).exists();
      assertThat(shard(sharded, "model-00001-of-")).isNotEqualTo(shard(sharded, "model-00002-of-"));
      try (Llama again = Llama.load(sharded, device, Weights.F32)) {
        assertThat(Tiny.logits(again, again.inference(), ids))
            .isEqualTo(Tiny.logits(model, model.inference(), ids));
      }
    }
  }

  private static Path shard(Path folder, String prefix) {
    try (Stream<Path> list = Files.list(folder)) {
      return list.filter(p -> p.getFileName().toString().startsWith(prefix))
          .findFirst()
          .orElseThrow();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void aMissingShardIsNamed() throws IOException {
    Path sharded = temporary.resolve("sharded");
    try (Llama model = Llama.init(Tiny.config(), device, Weights.F32, 5)) {
      ModelWriter.of(model).shardBytes(30_000).write(sharded);
    }
    Files.delete(shard(sharded, "model-00003-of-"));
    assertThatThrownBy(() -> Llama.load(sharded, device, Weights.F32))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("model-00003-of-")
        .hasMessageContaining("missing shard");
  }

  @Test
  void quantisingWhileLoadingEqualsQuantisingTheModelInMemory() {
    Path folder = save(Weights.BF16, "dense");
    int[] ids = Tiny.tokens(1, 9);
    try (Llama loaded = Llama.load(folder, device, Weights.NF4);
        Llama made = Llama.init(Tiny.config(), device, Weights.NF4, 5)) {
      assertThat(Tiny.logits(loaded, loaded.inference(), ids))
          .isEqualTo(Tiny.logits(made, made.inference(), ids));
    }
  }

  @Test
  void quantisingWhileLoadingHoldsAtMostOneUnquantisedMatrix() {
    Path folder = save(Weights.F32, "dense");
    device.resetPeak();
    try (Llama model = Llama.load(folder, device, Weights.NF4)) {
      // The largest tensors are the embedding [97,40] in float32 and in bfloat16.
      assertThat(device.peakBytes()).isLessThanOrEqualTo(model.byteSize() + 6L * 97 * 40 + 4096);
    }
  }

  @Test
  void anExistingFolderIsRefusedAndLeftAlone() throws IOException {
    Path folder = save(Weights.F32, "model");
    byte[] before = Files.readAllBytes(folder.resolve("model.safetensors"));
    try (Llama other = Llama.init(Tiny.config(), device, Weights.F32, 6)) {
      assertThatThrownBy(() -> ModelWriter.of(other).write(folder))
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("exists already");
      assertThat(Files.readAllBytes(folder.resolve("model.safetensors"))).isEqualTo(before);
      ModelWriter.of(other).overwrite(true).write(folder);
      assertThat(Files.readAllBytes(folder.resolve("model.safetensors"))).isNotEqualTo(before);
    }
    try (Stream<Path> list = Files.list(temporary)) {
      assertThat(list).containsExactly(folder);
    }
  }

  @Test
  void anOutputThatFailsLeavesNothing() {
    try (Llama model = Llama.init(Tiny.config(), device, Weights.F32, 6)) {
      ModelWriter writer =
          ModelWriter.of(model)
              .with(
                  folder -> {
                    throw new IOException("disk full");
                  });
      assertThatThrownBy(() -> writer.write(temporary.resolve("model")))
          .hasMessageContaining("disk full");
    }
    assertThat(temporary).isEmptyDirectory();
  }

  /** Copies the tensors of a folder through {@code change}, which may leave out or alter some. */
  private void rewrite(Path folder, BiConsumer<Tensors, String> change) {
    Path file = folder.resolve("model.safetensors");
    Tensors tensors = new Tensors();
    try (SafetensorsFile old = SafetensorsFile.open(file)) {
      for (String name : old.names()) {
        SafetensorsFile.Entry e = old.entry(name);
        tensors.current =
            new Tensors.One(
                name, e.dtype(), e.shape(), old.data(name).toArray(ValueLayout.JAVA_BYTE));
        change.accept(tensors, name);
        if (tensors.current != null) {
          tensors.all.add(tensors.current);
        }
      }
    }
    try (SafetensorsWriter writer = SafetensorsWriter.create(file)) {
      tensors.all.forEach(t -> writer.declare(t.name(), t.dtype(), t.shape()));
      tensors.all.forEach(t -> writer.write(t.name(), MemorySegment.ofArray(t.bytes())));
      writer.commit();
    }
  }

  private static final class Tensors {
    record One(String name, String dtype, long[] shape, byte[] bytes) {}

    final List<One> all = new ArrayList<>();
    One current;

    void drop() {
      current = null;
    }

    void as(String dtype, long... shape) {
      current = new One(current.name(), dtype, shape, current.bytes());
    }

    void rename(String name) {
      current = new One(name, current.dtype(), current.shape(), current.bytes());
    }

    void bytes(byte[] bytes) {
      current = new One(current.name(), current.dtype(), new long[] {bytes.length}, bytes);
    }
  }

  private void refuses(Path folder, String... parts) {
    var check =
        assertThatThrownBy(() -> Llama.load(folder, device, Weights.AS_STORED))
            .isInstanceOf(InvalidInputException.class);
    for (String part : parts) {
      check.hasMessageContaining(part);
    }
  }

  @Test
  void aMissingTensorIsNamed() {
    Path folder = save(Weights.F32, "model");
    rewrite(
        folder,
        (t, name) -> {
          if (name.equals(UP)) {
            t.drop();
          }
        });
    refuses(folder, "missing tensor", UP);
  }

  @Test
  void aWrongShapeIsNamedWithBothShapes() {
    Path folder = save(Weights.F32, "model");
    rewrite(
        folder,
        (t, name) -> {
          if (name.equals(UP)) {
            t.as("F32", 40, 72);
          }
        });
    refuses(folder, UP, "[40, 72]", "[72, 40]");
  }

  @Test
  void quantizedCodesMayBeStoredUnderAnotherType() {
    Path folder = save(Weights.NF4, "model");
    int[] ids = Tiny.tokens(1, 9);
    float[] before;
    try (Llama model = Llama.load(folder, device, Weights.AS_STORED)) {
      before = Tiny.logits(model, model.inference(), ids);
    }
    rewrite(
        folder,
        (t, name) -> {
          if (name.endsWith("proj.weight")) {
            t.as("BF16", t.current.bytes().length / 2, 1);
          }
        });
    try (Llama model = Llama.load(folder, device, Weights.AS_STORED)) {
      assertThat(Tiny.logits(model, model.inference(), ids)).isEqualTo(before);
    }
  }

  @ParameterizedTest
  @CsvSource({
    ".absmax, .absmax is missing",
    ".quant_map, .quant_map is missing",
    ".nested_absmax, .nested_absmax is missing",
    ".nested_quant_map, .nested_quant_map is missing",
    ".quant_state.bitsandbytes__nf4, bitsandbytes__nf4 is missing"
  })
  void aMissingPartOfAQuantizedMatrixIsNamed(String part, String message) {
    Path folder = save(Weights.NF4, "model");
    rewrite(
        folder,
        (t, name) -> {
          if (name.equals(UP + part)) {
            t.drop();
          }
        });
    refuses(folder, UP, message);
  }

  @Test
  void anUnknownPartOfAQuantizedMatrixIsNamed() {
    Path folder = save(Weights.NF4, "model");
    rewrite(
        folder,
        (t, name) -> {
          if (name.equals(UP + ".quant_map")) {
            t.all.add(t.current);
            t.rename(UP + ".state2");
          }
        });
    refuses(folder, UP + ".state2", "unknown part");
  }

  @Test
  void tooFewScalesAreCounted() {
    Path folder = save(Weights.NF4, "model");
    rewrite(
        folder,
        (t, name) -> {
          if (name.equals(UP + ".absmax")) {
            t.bytes(new byte[44]);
          }
        });
    refuses(folder, UP + ".absmax", "44 bytes", "45 expected");
  }

  @Test
  void otherFourBitTypesAreRefused() {
    Path folder = save(Weights.NF4, "model");
    rewrite(
        folder,
        (t, name) -> {
          if (name.equals(UP + ".quant_state.bitsandbytes__nf4")) {
            t.rename(UP + ".quant_state.bitsandbytes__fp4");
          }
        });
    refuses(folder, UP, "FP4");
  }

  @Test
  void aFolderWithoutWeightsIsRefused() throws IOException {
    Path folder = save(Weights.F32, "model");
    Files.delete(folder.resolve("model.safetensors"));
    refuses(folder, "neither model.safetensors nor");
    Files.delete(folder.resolve("config.json"));
    refuses(folder, "config.json");
    refuses(temporary.resolve("nowhere"), "no such model folder");
  }

  @Test
  void numbersInQuantStateAreWrittenAsPythonDoes() {
    assertThat(PythonNumbers.repr(2.5949056148529053)).isEqualTo("2.5949056148529053");
    assertThat(PythonNumbers.repr(0.1)).isEqualTo("0.1");
    assertThat(PythonNumbers.repr(-3)).isEqualTo("-3.0");
    assertThat(PythonNumbers.repr(1e-5)).isEqualTo("1e-05");
    assertThat(PythonNumbers.repr(0.0001)).isEqualTo("0.0001");
    assertThat(PythonNumbers.repr(1.5e-7)).isEqualTo("1.5e-07");
    assertThat(PythonNumbers.repr(1e16)).isEqualTo("1e+16");
    assertThat(PythonNumbers.repr(123456789012345.0)).isEqualTo("123456789012345.0");
    assertThat(PythonNumbers.repr(2.5e100)).isEqualTo("2.5e+100");
    assertThat(PythonNumbers.repr(0)).isEqualTo("0.0");
  }
}
