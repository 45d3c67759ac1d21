package dev.cria.safetensors;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Device;
import dev.cria.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Collections;
import java.util.Map;
import java.util.Set;

/**
 * A mapped safetensors file. Everything its header says is checked when it is opened; a damaged or
 * hostile file gives one clear error. Data are little-endian. Segments handed out are invalid after
 * {@link #close}.
 */
public final class SafetensorsFile implements AutoCloseable {
  /** Bytes of the header's length. */
  private static final int LENGTH_BYTES = 8;

  /** As in the reference implementation. */
  private static final long MAX_HEADER_BYTES = 100_000_000;

  private static final ValueLayout.OfLong LENGTH =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path path;
  private final Arena arena;
  private final MemorySegment data;
  private final Header header;

  /**
   * Where a tensor is.
   *
   * @param dtype name of the element type, e.g. "BF16"
   * @param shape dimensions
   * @param start first byte, counted from the end of the header
   * @param end byte after the last one
   */
  @SuppressWarnings("ArrayRecordComponent")
  public record Entry(String dtype, long[] shape, long start, long end) {
    /** Bytes of the tensor. */
    public long byteSize() {
      return end - start;
    }

    @Override
    public String toString() {
      return dtype + Arrays.toString(shape);
    }
  }

  private SafetensorsFile(Path path, Arena arena, MemorySegment data, Header header) {
    this.path = path;
    this.arena = arena;
    this.data = data;
    this.header = header;
  }

  /** Maps a file and reads its header. */
  @SuppressWarnings("MustBeClosedChecker") // the file owns the arena
  public static SafetensorsFile open(Path path) {
    Arena arena = Arena.ofShared();
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      long size = channel.size();
      if (size < LENGTH_BYTES) {
        throw new CriaException(
            "safetensors: " + path + ": " + size + " bytes are too few for a header");
      }
      MemorySegment file = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
      long length = file.get(LENGTH, 0);
      if (length < 0 || length > MAX_HEADER_BYTES || length > size - LENGTH_BYTES) {
        throw new CriaException(
            "safetensors: "
                + path
                + ": the header claims "
                + Long.toUnsignedString(length)
                + " bytes, the file has "
                + size
                + " (and at most "
                + MAX_HEADER_BYTES
                + " are allowed); truncated or not a safetensors file");
      }
      byte[] json = file.asSlice(LENGTH_BYTES, length).toArray(ValueLayout.JAVA_BYTE);
      long start = LENGTH_BYTES + length;
      Header header = Header.parse(path, json, size - start);
      return new SafetensorsFile(path, arena, file.asSlice(start), header);
    } catch (IOException e) {
      arena.close();
      throw new CriaException("safetensors: " + path + ": cannot be read: " + e, e);
    } catch (RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  /** The file. */
  public Path path() {
    return path;
  }

  /** Names of the tensors, in the order of their data. */
  public Set<String> names() {
    return Collections.unmodifiableSet(header.entries().keySet());
  }

  /** Free texts of the header. */
  public Map<String, String> metadata() {
    return header.metadata();
  }

  /** Where a tensor is. */
  public Entry entry(String name) {
    Entry entry = header.entries().get(name);
    if (entry == null) {
      throw new CriaException("safetensors: " + path + ": has no tensor " + name);
    }
    return entry;
  }

  /** The mapped bytes of a tensor; their address has no particular alignment. */
  public MemorySegment data(String name) {
    Entry entry = entry(name);
    return data.asSlice(entry.start, entry.byteSize());
  }

  /** A tensor in device memory; F32, BF16, F16, I32 and U8. */
  public Tensor load(String name, Device device) {
    Entry entry = entry(name);
    DType dtype = TensorType.dtype(entry.dtype);
    if (dtype == null) {
      throw new CriaException(
          "safetensors: " + path + ": " + name + " is " + entry + "; no tensor has that type");
    }
    Tensor tensor = Tensor.empty(device, dtype, entry.shape);
    tensor.copyFrom(data(name));
    return tensor;
  }

  /** Ends the mapping; idempotent. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
