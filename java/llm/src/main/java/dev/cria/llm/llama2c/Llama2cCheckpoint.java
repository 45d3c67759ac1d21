package dev.cria.llm.llama2c;

import dev.cria.llm.InvalidInputException;
import dev.cria.llm.LlamaConfig;
import dev.cria.llm.RotaryRows;
import dev.cria.llm.TensorSource;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/**
 * A checkpoint of llama2.c: the headerless version 0 in f32, version 1 ({@code ak42}, f32) and
 * version 2 ({@code ak42}, int8 in groups with f32 scales), seen with the names and the row order
 * of a Hugging Face folder. The format does not state epsilon (1e-5), rotary base (10000) or
 * special ids (1 and 2); those of its model code are taken.
 */
public final class Llama2cCheckpoint implements TensorSource {
  private static final int MAGIC = 0x616B3432; // "ak42"
  private static final int HEADER = 256;
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final List<String> MATRICES =
      List.of(
          "self_attn.q_proj.weight",
          "self_attn.k_proj.weight",
          "self_attn.v_proj.weight",
          "self_attn.o_proj.weight",
          "mlp.gate_proj.weight",
          "mlp.down_proj.weight",
          "mlp.up_proj.weight");

  private final String file;
  private final Arena arena;
  private final MemorySegment data;
  private final LlamaConfig config;
  private final Map<String, Place> places = new LinkedHashMap<>();
  private long end;

  /**
   * Where a tensor lies. {@code group} is 0 for f32, else the number of int8 values that share a
   * scale.
   */
  private record Place(long offset, long[] shape, int group) {
    int columns() {
      return (int) shape[shape.length - 1];
    }

    long rows() {
      return shape.length == 1 ? 1 : shape[0];
    }
  }

  private Llama2cCheckpoint(String file, Arena arena, MemorySegment data) {
    this.file = file;
    this.arena = arena;
    this.data = data;
    boolean modern = data.byteSize() >= HEADER && data.get(INT, 0) == MAGIC;
    int version = modern ? data.get(INT, 4) : 0;
    if (version < 0 || version > 2 || (modern && version == 0)) {
      throw new InvalidInputException(
          file, "llama2.c checkpoint of version " + version + "; 0, 1 and 2 are supported");
    }
    if (data.byteSize() < 28) {
      throw new InvalidInputException(
          file, "not a llama2.c checkpoint: " + data.byteSize() + " bytes");
    }
    int[] n = new int[7];
    for (int i = 0; i < n.length; i++) {
      n[i] = data.get(INT, (modern ? 8 : 0) + 4L * i);
    }
    // In version 0 a negative vocabulary says that the head is a matrix of its own.
    boolean tied = modern ? data.get(ValueLayout.JAVA_BYTE, 36) != 0 : n[5] > 0;
    int group = version == 2 ? data.get(INT, 37) : 0;
    config = config(n, tied);
    if (version == 0) {
      layOutVersion0();
    } else {
      layOutModern(group, version);
    }
    if (end != data.byteSize()) {
      throw new InvalidInputException(
          file,
          "a llama2.c checkpoint of this shape ("
              + config.hidden()
              + " wide, "
              + config.layers()
              + " layers, vocabulary "
              + config.vocab()
              + ") has "
              + end
              + " bytes, the file has "
              + data.byteSize());
    }
  }

  /** Maps a file and checks that its size is what its header says. */
  @SuppressWarnings("MustBeClosedChecker") // closed with the checkpoint, or below on failure
  public static Llama2cCheckpoint open(Path path) throws IOException {
    if (!Files.isRegularFile(path)) {
      throw new InvalidInputException(path.toString(), "no such file");
    }
    Arena arena = Arena.ofShared();
    boolean done = false;
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      MemorySegment data = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
      Llama2cCheckpoint result = new Llama2cCheckpoint(path.toString(), arena, data);
      done = true;
      return result;
    } finally {
      if (!done) {
        arena.close();
      }
    }
  }

  /** Shape from the header, constants of the llama2.c model code. */
  public LlamaConfig config() {
    return config;
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(places.keySet());
  }

  @Override
  public long[] shape(String name) {
    return place(name).shape().clone();
  }

  @Override
  public void readRows(String name, long row0, long rows, MemorySegment destination) {
    Place place = place(name);
    if (row0 < 0 || rows < 0 || row0 > place.rows() - rows) {
      throw new IndexOutOfBoundsException(
          "rows "
              + row0
              + " to "
              + (row0 + rows - 1)
              + " of "
              + name
              + ", which has "
              + place.rows());
    }
    boolean rotary = name.endsWith("q_proj.weight") || name.endsWith("k_proj.weight");
    float[] values = new float[place.columns()];
    byte[] codes = new byte[place.group() == 0 ? 0 : values.length];
    for (long row = 0; row < rows; row++) {
      long source = rotary ? RotaryRows.interleavedRow(row0 + row, config.headDim()) : row0 + row;
      if (place.group() == 0) {
        MemorySegment.copy(
            data, FLOAT, place.offset() + source * values.length * 4L, values, 0, values.length);
      } else {
        MemorySegment.copy(
            data,
            ValueLayout.JAVA_BYTE,
            place.offset() + source * values.length,
            codes,
            0,
            codes.length);
        long scales = place.offset() + place.rows() * values.length;
        long first = source * values.length;
        for (int i = 0; i < values.length; i++) {
          values[i] = codes[i] * data.get(FLOAT, scales + (first + i) / place.group() * 4L);
        }
      }
      MemorySegment.copy(
          values,
          0,
          destination,
          ValueLayout.JAVA_FLOAT_UNALIGNED,
          row * values.length * 4L,
          values.length);
    }
  }

  @Override
  public void close() {
    arena.close();
  }

  private Place place(String name) {
    Place place = places.get(name);
    if (place == null) {
      throw new InvalidInputException(file, "there is no tensor " + name);
    }
    return place;
  }

  private LlamaConfig config(int[] n, boolean tied) {
    int vocab = n[5] == Integer.MIN_VALUE ? 0 : Math.abs(n[5]);
    try {
      return new LlamaConfig(
          n[0],
          n[1],
          n[2],
          n[3],
          n[4],
          n[3] > 0 ? n[0] / n[3] : 0,
          vocab,
          n[6],
          1e-5,
          10_000,
          tied,
          vocab > 1 ? OptionalInt.of(1) : OptionalInt.empty(),
          vocab > 2 ? List.of(2) : List.of(),
          OptionalInt.empty(),
          Optional.empty(),
          0.02);
    } catch (InvalidInputException e) {
      throw new InvalidInputException(file, "not a llama2.c checkpoint: " + e.getMessage(), e);
    }
  }

  private void layOutVersion0() {
    end = 28;
    Map<String, long[]> shapes = config.tensorShapes();
    add("model.embed_tokens.weight", shapes, 0);
    addLayers("input_layernorm.weight", shapes, 0);
    MATRICES.subList(0, 4).forEach(name -> addLayers(name, shapes, 0));
    addLayers("post_attention_layernorm.weight", shapes, 0);
    MATRICES.subList(4, 7).forEach(name -> addLayers(name, shapes, 0));
    add("model.norm.weight", shapes, 0);
    // Tables of cosines and sines that nobody reads.
    end += 2L * config.context() * (config.headDim() / 2) * 4;
    if (!config.tied()) {
      add("lm_head.weight", shapes, 0);
    }
  }

  private void layOutModern(int group, int version) {
    if (version == 2 && group < 1) {
      throw new InvalidInputException(
          file, "group size " + group + " of scales, at least 1 expected");
    }
    end = HEADER;
    Map<String, long[]> shapes = config.tensorShapes();
    addLayers("input_layernorm.weight", shapes, 0);
    addLayers("post_attention_layernorm.weight", shapes, 0);
    add("model.norm.weight", shapes, 0);
    add("model.embed_tokens.weight", shapes, group);
    MATRICES.forEach(name -> addLayers(name, shapes, group));
    if (!config.tied()) {
      add("lm_head.weight", shapes, group);
    }
  }

  private void addLayers(String name, Map<String, long[]> shapes, int group) {
    for (int layer = 0; layer < config.layers(); layer++) {
      add("model.layers." + layer + "." + name, shapes, group);
    }
  }

  private void add(String name, Map<String, long[]> shapes, int group) {
    long[] shape = java.util.Objects.requireNonNull(shapes.get(name));
    Place place = new Place(end, shape, group);
    places.put(name, place);
    long count = place.rows() * place.columns();
    if (group > 0 && count % group != 0) {
      throw new InvalidInputException(
          file, "group size " + group + " does not divide the " + count + " values of " + name);
    }
    end += group == 0 ? 4 * count : count + count / group * 4;
  }
}
