package dev.cria.nn;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Device;
import dev.cria.Tensor;
import dev.cria.internal.Nf4;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * A matrix of 4-bit NormalFloat codes with a scale per block, as bitsandbytes stores it (Dettmers
 * et al. 2023). A stored weight means bf16(code value * scale). Owns native memory that no scope
 * owns: close it.
 */
public final class Nf4Matrix implements AutoCloseable {
  private static final int MAP_ENTRIES = 16;
  private static final int NESTED_MAP_ENTRIES = 256;

  private final Device device;
  private final MemorySegment handle;
  private final long rows;
  private final long columns;
  private final int blockSize;
  private final int nestedBlockSize;
  private final long bytes;
  private boolean closed;

  private Nf4Matrix(Device device, MemorySegment handle) {
    this.device = device;
    this.handle = handle;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(40, 8);
      Nf4.nf4Info(handle, out, out.asSlice(8), out.asSlice(16), out.asSlice(24), out.asSlice(32));
      this.rows = out.getAtIndex(ValueLayout.JAVA_LONG, 0);
      this.columns = out.getAtIndex(ValueLayout.JAVA_LONG, 1);
      this.blockSize = Math.toIntExact(out.getAtIndex(ValueLayout.JAVA_LONG, 2));
      this.nestedBlockSize = Math.toIntExact(out.getAtIndex(ValueLayout.JAVA_LONG, 3));
      this.bytes = out.getAtIndex(ValueLayout.JAVA_LONG, 4);
    }
  }

  /**
   * Quantises a matrix.
   *
   * @param weights f32, bf16 or f16 [N,K]; all finite
   * @param blockSize weights per scale: a power of two from 32 to 4096, usually 64
   * @param doubleQuant whether the scales are quantised to 8 bits in their turn
   */
  public static Nf4Matrix quantize(Tensor weights, int blockSize, boolean doubleQuant) {
    if (weights.rank() != 2 || !weights.dtype().isFloat()) {
      throw new CriaException(
          "nf4 quantize: a matrix of floating-point numbers expected, got " + weights);
    }
    if (blockSize < 32 || blockSize > 4096 || Integer.bitCount(blockSize) != 1) {
      throw new CriaException(
          "nf4 quantize: block size is " + blockSize + ", a power of two from 32 to 4096 expected");
    }
    Device device = weights.device();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
      Nf4.nf4Quantize(
          device.queue(),
          weights.dim(0),
          weights.dim(1),
          blockSize,
          doubleQuant ? 1 : 0,
          weights.dtype().code(),
          weights.address(),
          out);
      return new Nf4Matrix(device, out.get(ValueLayout.ADDRESS, 0));
    }
  }

  /** Builds a matrix from stored parts; {@link #export} gives them back bit for bit. */
  public static Nf4Matrix of(Device device, Parts parts) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
      Nf4.nf4Import(
          device.queue(),
          parts.rows,
          parts.columns,
          parts.blockSize,
          host(arena, parts.codes),
          host(arena, parts.codeMap),
          host(arena, parts.absmax),
          parts.absmaxCodes == null ? MemorySegment.NULL : host(arena, parts.absmaxCodes),
          parts.nestedBlockSize,
          host(arena, parts.nestedAbsmax),
          host(arena, parts.nestedMap),
          parts.nestedOffset,
          out);
      return new Nf4Matrix(device, out.get(ValueLayout.ADDRESS, 0));
    }
  }

  /** Copies the parts to host memory that the garbage collector frees. */
  public Parts export() {
    return export(Arena.ofAuto());
  }

  /** Copies the parts to host memory; the large ones belong to the arena. */
  public Parts export(Arena arena) {
    boolean nested = nestedBlockSize > 0;
    long blocks = Parts.blocks(rows, columns, blockSize);
    MemorySegment codes = arena.allocate(Parts.codeBytes(rows, columns), 8);
    MemorySegment absmaxCodes = nested ? arena.allocate(blocks, 8) : null;
    try (Arena local = Arena.ofConfined()) {
      MemorySegment codeMap = floats(local, MAP_ENTRIES);
      MemorySegment absmax = floats(local, nested ? 0 : blocks);
      long groups = nested ? Parts.groups(blocks, nestedBlockSize) : 0;
      MemorySegment nestedAbsmax = floats(local, groups);
      MemorySegment nestedMap = floats(local, nested ? NESTED_MAP_ENTRIES : 0);
      MemorySegment offset = floats(local, 1);
      Nf4.nf4Export(
          device.queue(),
          handle(),
          codes,
          codeMap,
          nested ? MemorySegment.NULL : absmax,
          absmaxCodes == null ? MemorySegment.NULL : absmaxCodes,
          nested ? nestedAbsmax : MemorySegment.NULL,
          nested ? nestedMap : MemorySegment.NULL,
          nested ? offset : MemorySegment.NULL);
      return new Parts(
          rows,
          columns,
          blockSize,
          codes,
          array(codeMap),
          nested ? null : array(absmax),
          absmaxCodes,
          nestedBlockSize,
          nested ? array(nestedAbsmax) : null,
          nested ? array(nestedMap) : null,
          nested ? offset.get(ValueLayout.JAVA_FLOAT, 0) : 0f);
    }
  }

  /** The whole matrix as f32 or bf16 numbers [N,K]. */
  public Tensor dequantize(DType dtype) {
    return dequantizeRows(0, rows, dtype);
  }

  /** Rows {@code row} to {@code row + count - 1} as f32 or bf16 numbers [count,K]. */
  public Tensor dequantizeRows(long row, long count, DType dtype) {
    if (row < 0 || count < 0 || row > rows - count) {
      throw new CriaException(
          "nf4 dequantize: rows " + row + " to " + (row + count) + " of " + this);
    }
    if (dtype != DType.F32 && dtype != DType.BF16) {
      throw new CriaException("nf4 dequantize: f32 or bf16 expected, got " + dtype);
    }
    Tensor result = Tensor.empty(device, dtype, count, columns);
    Nf4.nf4Dequantize(device.queue(), handle(), row, count, dtype.code(), result.address());
    return result;
  }

  /** Device that holds it. */
  public Device device() {
    return device;
  }

  /** N. */
  public long rows() {
    return rows;
  }

  /** K. */
  public long columns() {
    return columns;
  }

  /** Weights per scale. */
  public int blockSize() {
    return blockSize;
  }

  /** Scales per second-level scale; 0 without double quantisation. */
  public int nestedBlockSize() {
    return nestedBlockSize;
  }

  /** Bytes on the device. */
  public long byteSize() {
    return bytes;
  }

  /** The {@code cria_nf4*}, for native calls. */
  public MemorySegment handle() {
    if (closed) {
      throw new CriaException("nf4 matrix " + this + ": already closed");
    }
    return handle;
  }

  /** Frees the memory; idempotent. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      Nf4.nf4Free(handle);
    }
  }

  @Override
  public String toString() {
    return "nf4[" + rows + ", " + columns + "]";
  }

  private static MemorySegment host(Arena arena, MemorySegment segment) {
    return segment.isNative()
        ? segment
        : arena.allocate(Math.max(1, segment.byteSize()), 8).copyFrom(segment);
  }

  private static MemorySegment host(Arena arena, float @Nullable [] values) {
    return values == null ? MemorySegment.NULL : arena.allocateFrom(ValueLayout.JAVA_FLOAT, values);
  }

  private static MemorySegment floats(Arena arena, long count) {
    return arena.allocate(ValueLayout.JAVA_FLOAT, count);
  }

  private static float[] array(MemorySegment floats) {
    return floats.toArray(ValueLayout.JAVA_FLOAT);
  }

  /**
   * What a matrix is stored as; large arrays are segments, so that a mapped file passes without a
   * copy on the Java heap.
   *
   * @param rows N
   * @param columns K
   * @param blockSize weights per scale
   * @param codes ceil(N*K/2) bytes, the even element in the high nibble
   * @param codeMap 16 floats: the value of each code
   * @param absmax the scale of each of the ceil(N*K/blockSize) blocks; null when they are quantised
   * @param absmaxCodes a byte per block when the scales are quantised, else null
   * @param nestedBlockSize scales per second-level scale, 0 when they are not quantised
   * @param nestedAbsmax the second-level scales
   * @param nestedMap 256 floats: the value of each byte of {@code absmaxCodes}
   * @param nestedOffset added to each reconstructed scale
   */
  @SuppressWarnings("ArrayRecordComponent")
  public record Parts(
      long rows,
      long columns,
      int blockSize,
      MemorySegment codes,
      float[] codeMap,
      float @Nullable [] absmax,
      @Nullable MemorySegment absmaxCodes,
      int nestedBlockSize,
      float @Nullable [] nestedAbsmax,
      float @Nullable [] nestedMap,
      float nestedOffset) {
    /** Checks that the lengths agree with the shape. */
    public Parts {
      if (rows < 0 || columns < 0 || (columns > 0 && rows > Long.MAX_VALUE / 16 / columns)) {
        throw new CriaException("nf4 parts: shape [" + rows + ", " + columns + "] is impossible");
      }
      if (blockSize < 1) {
        throw new CriaException("nf4 parts: block size is " + blockSize);
      }
      long blocks = blocks(rows, columns, blockSize);
      expect("codes", codes.byteSize(), codeBytes(rows, columns));
      expect("the code map", codeMap.length, MAP_ENTRIES);
      if ((absmax == null) == (absmaxCodes == null)) {
        throw new CriaException("nf4 parts: either absmax or absmax codes must be given");
      }
      if (absmax != null) {
        expect("absmax", absmax.length, blocks);
      } else if (absmaxCodes != null) {
        if (nestedBlockSize < 1 || nestedAbsmax == null || nestedMap == null) {
          throw new CriaException(
              "nf4 parts: quantised scales need nested block size, absmax and map");
        }
        expect("absmax", absmaxCodes.byteSize(), blocks);
        expect("the nested absmax", nestedAbsmax.length, groups(blocks, nestedBlockSize));
        expect("the nested map", nestedMap.length, NESTED_MAP_ENTRIES);
      }
    }

    private static void expect(String what, long actual, long expected) {
      if (actual != expected) {
        throw new CriaException(
            "nf4 parts: " + what + " has " + actual + " entries, " + expected + " expected");
      }
    }

    static long codeBytes(long rows, long columns) {
      return (rows * columns + 1) / 2;
    }

    static long blocks(long rows, long columns, long blockSize) {
      return (rows * columns + blockSize - 1) / blockSize;
    }

    static long groups(long blocks, long nestedBlockSize) {
      return (blocks + nestedBlockSize - 1) / nestedBlockSize;
    }
  }
}
