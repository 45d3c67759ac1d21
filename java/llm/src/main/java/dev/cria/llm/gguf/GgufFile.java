package dev.cria.llm.gguf;

import dev.cria.llm.InvalidInputException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A GGUF file of version 1, 2 or 3 (little-endian), mapped into memory: metadata, tensor directory,
 * and rows of tensors widened to f32. The whole directory is checked when the file is opened.
 */
public final class GgufFile implements AutoCloseable {
  private static final int MAGIC = 0x46554747; // "GGUF"
  private static final int DEFAULT_ALIGNMENT = 32;

  private final String file;
  private final Arena arena;
  private final MemorySegment data;
  private final int version;
  private final Map<String, Object> metadata = new LinkedHashMap<>();
  private final Map<String, GgufTensor> tensors = new LinkedHashMap<>();

  private GgufFile(String file, Arena arena, MemorySegment data) {
    this.file = file;
    this.arena = arena;
    this.data = data;
    GgufReader in = new GgufReader(data, file);
    if (data.byteSize() < 8 || in.u32() != MAGIC) {
      throw new InvalidInputException(file, "not a GGUF file");
    }
    version = in.u32();
    if (version < 1 || version > 3) {
      throw new InvalidInputException(
          file,
          "GGUF version "
              + Integer.toUnsignedString(version)
              + " is not supported; 1, 2 and 3 (little-endian) are");
    }
    in.wideCounts(version > 1);
    int tensorCount = in.count("the number of tensors", 16);
    int keyCount = in.count("the number of metadata entries", 8);
    for (int i = 0; i < keyCount; i++) {
      String key = in.string("the key of metadata entry " + i);
      if (metadata.put(key, in.value(key)) != null) {
        throw in.bad("metadata key " + key + " occurs twice");
      }
    }
    readDirectory(in, tensorCount);
  }

  /** Maps a file and checks it. */
  @SuppressWarnings("MustBeClosedChecker") // closed with the file, or below on failure
  public static GgufFile open(Path path) throws IOException {
    if (!Files.isRegularFile(path)) {
      throw new InvalidInputException(path.toString(), "no such file");
    }
    Arena arena = Arena.ofShared();
    boolean done = false;
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      MemorySegment data = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
      GgufFile result = new GgufFile(path.toString(), arena, data);
      done = true;
      return result;
    } finally {
      if (!done) {
        arena.close();
      }
    }
  }

  /** The file's path, for errors. */
  public String name() {
    return file;
  }

  /** Version of the format. */
  public int version() {
    return version;
  }

  /** All metadata keys in file order. */
  public Set<String> keys() {
    return metadata.keySet();
  }

  /** All tensors by name, in file order. */
  public Map<String, GgufTensor> tensors() {
    return java.util.Collections.unmodifiableMap(tensors);
  }

  /** A tensor by name; a missing one is an error. */
  public GgufTensor tensor(String name) {
    GgufTensor tensor = tensors.get(name);
    if (tensor == null) {
      throw new InvalidInputException(file, "there is no tensor " + name);
    }
    return tensor;
  }

  /** A string of the metadata. */
  public Optional<String> string(String key) {
    return Optional.ofNullable(get(key, String.class, "a string"));
  }

  /** A flag of the metadata. */
  public Optional<Boolean> flag(String key) {
    return Optional.ofNullable(get(key, Boolean.class, "a flag"));
  }

  /** A whole number of the metadata. */
  public OptionalLong integer(String key) {
    Long value = get(key, Long.class, "a whole number");
    return value == null ? OptionalLong.empty() : OptionalLong.of(value);
  }

  /** A whole number of the metadata that fits 32 bits. */
  public OptionalInt id(String key) {
    OptionalLong value = integer(key);
    if (value.isEmpty()) {
      return OptionalInt.empty();
    }
    if (value.getAsLong() != (int) value.getAsLong()) {
      throw new InvalidInputException(
          file, key + " is " + value.getAsLong() + ", which does not fit 32 bits");
    }
    return OptionalInt.of((int) value.getAsLong());
  }

  /** A number of the metadata, whole or not. */
  public OptionalDouble number(String key) {
    Number value = get(key, Number.class, "a number");
    return value == null ? OptionalDouble.empty() : OptionalDouble.of(value.doubleValue());
  }

  /** A list of strings of the metadata. */
  public Optional<List<String>> strings(String key) {
    List<?> list = get(key, List.class, "a list of strings");
    if (list == null) {
      return Optional.empty();
    }
    List<String> strings = new ArrayList<>(list.size());
    for (Object item : list) {
      if (!(item instanceof String text)) {
        throw new InvalidInputException(file, key + " is not a list of strings");
      }
      strings.add(text);
    }
    return Optional.of(strings);
  }

  /** A list of whole numbers of the metadata. */
  public Optional<long[]> integers(String key) {
    return Optional.ofNullable(get(key, long[].class, "a list of whole numbers"));
  }

  /** A list of numbers of the metadata. */
  public Optional<double[]> numbers(String key) {
    return Optional.ofNullable(get(key, double[].class, "a list of numbers"));
  }

  /** Whether two tensors have the same shape, type and bytes. */
  public boolean sameContent(GgufTensor a, GgufTensor b) {
    return a.rows() == b.rows()
        && a.columns() == b.columns()
        && a.type() == b.type()
        && data.asSlice(a.offset(), a.bytes()).mismatch(data.asSlice(b.offset(), b.bytes())) == -1;
  }

  /** Writes rows of a tensor as native-order f32 to the start of {@code destination}. */
  public void readRows(GgufTensor tensor, long row0, long rows, MemorySegment destination) {
    if (row0 < 0 || rows < 0 || row0 > tensor.rows() - rows) {
      throw new IndexOutOfBoundsException(
          "rows "
              + row0
              + " to "
              + (row0 + rows - 1)
              + " of "
              + tensor.name()
              + ", which has "
              + tensor.rows());
    }
    byte[] packed = new byte[Math.toIntExact(tensor.rowBytes())];
    float[] values = new float[tensor.columns()];
    for (long row = 0; row < rows; row++) {
      long from = tensor.offset() + (row0 + row) * tensor.rowBytes();
      MemorySegment.copy(data, ValueLayout.JAVA_BYTE, from, packed, 0, packed.length);
      tensor.type().decode(packed, values.length, values);
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

  private <T> @Nullable T get(String key, Class<T> type, String what) {
    Object value = metadata.get(key);
    if (value == null) {
      return null;
    }
    if (!type.isInstance(value)) {
      throw new InvalidInputException(file, key + " is not " + what);
    }
    return type.cast(value);
  }

  private void readDirectory(GgufReader in, int count) {
    long alignment = integer("general.alignment").orElse(DEFAULT_ALIGNMENT);
    if (alignment < 1 || alignment > 1 << 20 || Long.bitCount(alignment) != 1) {
      throw in.bad("general.alignment is " + alignment + ", a power of two expected");
    }
    List<GgufTensor> relative = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      relative.add(readEntry(in, alignment, i));
    }
    long start = (in.position() + alignment - 1) & -alignment;
    long available = Math.max(0, data.byteSize() - start);
    for (GgufTensor t : relative) {
      if (t.bytes() > available || t.offset() > available - t.bytes()) {
        throw new InvalidInputException(
            file,
            "tensor "
                + t.name()
                + " takes bytes "
                + t.offset()
                + " to "
                + (t.offset() + t.bytes())
                + " of the data, which has "
                + available
                + "; the file is truncated or damaged");
      }
      GgufTensor absolute =
          new GgufTensor(
              t.name(), t.rows(), t.columns(), t.vector(), t.type(), start + t.offset(), t.bytes());
      if (tensors.put(t.name(), absolute) != null) {
        throw new InvalidInputException(file, "tensor " + t.name() + " occurs twice");
      }
    }
    List<GgufTensor> sorted = new ArrayList<>(tensors.values());
    sorted.sort(Comparator.comparingLong(GgufTensor::offset));
    for (int i = 1; i < sorted.size(); i++) {
      GgufTensor before = sorted.get(i - 1);
      if (before.offset() + before.bytes() > sorted.get(i).offset()) {
        throw new InvalidInputException(
            file, "tensors " + before.name() + " and " + sorted.get(i).name() + " overlap");
      }
    }
  }

  private GgufTensor readEntry(GgufReader in, long alignment, int index) {
    String name = in.string("the name of tensor " + index);
    int dimensions = in.u32();
    if (dimensions < 1 || dimensions > 4) {
      throw in.bad(
          "tensor "
              + name
              + " has "
              + Integer.toUnsignedString(dimensions)
              + " dimensions, 1 to 4 expected");
    }
    long rows = 1;
    long columns = 0;
    for (int d = 0; d < dimensions; d++) {
      long size = in.dimension();
      if (size < 1 || size > Integer.MAX_VALUE || (d > 0 && rows > Long.MAX_VALUE / 8 / size)) {
        throw in.bad("tensor " + name + " has a dimension of " + Long.toUnsignedString(size));
      }
      // The innermost dimension comes first in the file.
      if (d == 0) {
        columns = size;
      } else {
        rows *= size;
      }
    }
    GgufType type = GgufType.of(in.u32(), file + ": tensor " + name);
    long offset = in.u64();
    if (columns % type.blockLength() != 0) {
      throw in.bad(
          "tensor "
              + name
              + " of type "
              + type
              + " has rows of "
              + columns
              + ", a multiple of "
              + type.blockLength()
              + " expected");
    }
    if (offset < 0 || offset % alignment != 0) {
      throw in.bad(
          "tensor "
              + name
              + " begins at "
              + Long.toUnsignedString(offset)
              + ", a multiple of "
              + alignment
              + " expected");
    }
    long rowBytes = columns / type.blockLength() * type.blockBytes();
    if (rowBytes > Integer.MAX_VALUE - 8 || rows > Long.MAX_VALUE / rowBytes) {
      throw in.bad("tensor " + name + " of " + rows + " x " + columns + " is too large");
    }
    return new GgufTensor(
        name, rows, (int) columns, dimensions == 1, type, offset, rows * rowBytes);
  }
}
