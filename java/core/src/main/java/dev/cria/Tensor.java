package dev.cria;

import dev.cria.internal.Devices;
import dev.cria.internal.Elementary;
import dev.cria.internal.Random;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A dense row-major array in device memory, last axis fastest. Views ({@link #reshape}, {@link
 * #rows}, {@link #detach}) share memory with the tensor they come from. The scope that owns the
 * memory frees it; using a tensor afterwards is an error. Not synchronised: one thread at a time.
 */
public final class Tensor {
  private final Storage storage;
  private final MemorySegment address;
  private final DType dtype;
  private final long[] shape;
  private final long size;
  private final @Nullable Tensor base;
  private @Nullable Tensor attachedGradient;

  private Tensor(Storage storage, long offset, DType dtype, long[] shape, @Nullable Tensor base) {
    this.storage = storage;
    this.address =
        offset == 0 ? storage.address : MemorySegment.ofAddress(storage.address.address() + offset);
    this.dtype = dtype;
    this.shape = shape;
    this.size = Shapes.size(shape);
    this.base = base;
  }

  // ---------------------------------------------------------------- creation

  /** A tensor whose elements are not set. */
  public static Tensor empty(Device device, DType dtype, long... shape) {
    long[] dims = shape.clone();
    long bytes = Shapes.bytes(dims, dtype);
    Scope owner = Scope.current();
    Storage storage = new Storage(device, bytes);
    owner.take(storage);
    return new Tensor(storage, 0, dtype, dims, null);
  }

  /** A tensor of zeros of any type. */
  public static Tensor zeros(Device device, DType dtype, long... shape) {
    Tensor tensor = empty(device, dtype, shape);
    tensor.zero();
    return tensor;
  }

  /** An f32 tensor with the same value everywhere. */
  public static Tensor full(Device device, float value, long... shape) {
    Tensor tensor = empty(device, DType.F32, shape);
    tensor.fill(value);
    return tensor;
  }

  /** An f32 tensor of one element and rank 0. */
  public static Tensor scalar(Device device, float value) {
    return full(device, value);
  }

  /** An f32 tensor with these values. */
  public static Tensor of(Device device, float[] values, long... shape) {
    Shapes.expectSize("Tensor.of", values.length, shape);
    Tensor tensor = empty(device, DType.F32, shape);
    tensor.copyFrom(values);
    return tensor;
  }

  /** An i32 tensor with these values. */
  public static Tensor ofInts(Device device, int[] values, long... shape) {
    Shapes.expectSize("Tensor.ofInts", values.length, shape);
    Tensor tensor = empty(device, DType.I32, shape);
    HostCopy.upload(tensor, MemorySegment.ofArray(values));
    return tensor;
  }

  /** Normal numbers; element i depends on (key, i) only. f32 or bf16. */
  public static Tensor randn(
      Device device, long key, float mean, float deviation, DType dtype, long... shape) {
    Tensor tensor = empty(device, dtype, shape);
    Random.randomNormal(
        device.queue(), tensor.size, key, mean, deviation, dtype.code(), tensor.address);
    return tensor;
  }

  /** Numbers uniform in [low, high); element i depends on (key, i) only. f32 or bf16. */
  public static Tensor uniform(
      Device device, long key, float low, float high, DType dtype, long... shape) {
    Tensor tensor = empty(device, dtype, shape);
    Random.randomUniform(device.queue(), tensor.size, key, low, high, dtype.code(), tensor.address);
    return tensor;
  }

  // ---------------------------------------------------------------- shape

  /** Where the elements are. */
  public Device device() {
    return storage.device;
  }

  /** Type of the elements. */
  public DType dtype() {
    return dtype;
  }

  /** A copy of the dimensions; a scalar has none. */
  public long[] shape() {
    return shape.clone();
  }

  /** Whether the dimensions are these. */
  public boolean hasShape(long... dims) {
    return Arrays.equals(shape, dims);
  }

  /** Whether the dimensions are those of the other tensor. */
  public boolean sameShape(Tensor other) {
    return Arrays.equals(shape, other.shape);
  }

  /** Length of an axis; negative axes count from the end. */
  public long dim(int axis) {
    int place = axis < 0 ? axis + shape.length : axis;
    if (place < 0 || place >= shape.length) {
      throw new CriaException("tensor: " + this + " has no axis " + axis);
    }
    return shape[place];
  }

  /** Number of axes. */
  public int rank() {
    return shape.length;
  }

  /** Number of elements. */
  public long size() {
    return size;
  }

  /** Bytes of the elements. */
  public long byteSize() {
    return size * dtype.bytes();
  }

  // ---------------------------------------------------------------- views and casts

  /**
   * A view with other dimensions and the same number of elements; one of them may be -1. Tracked by
   * a recording tape like its source.
   */
  public Tensor reshape(long... dims) {
    return new Tensor(storage, offset(), dtype, Shapes.resolve(this, size, dims), this);
  }

  /**
   * A view of {@code count} rows of the first axis. Tracked by a recording tape like its source.
   */
  public Tensor rows(long start, long count) {
    if (shape.length == 0 || start < 0 || count < 0 || start > shape[0] - count) {
      throw new CriaException(
          "rows: " + start + " to " + (start + count) + " are not rows of " + this);
    }
    long[] dims = shape.clone();
    dims[0] = count;
    long rowBytes = shape[0] == 0 ? 0 : size / shape[0] * dtype.bytes();
    return new Tensor(storage, offset() + start * rowBytes, dtype, dims, this);
  }

  /** The same elements as a tensor of its own that no tape tracks. */
  public Tensor detach() {
    return new Tensor(storage, offset(), dtype, shape, null);
  }

  /** The tensor that this one is a view of, if it is one. */
  public @Nullable Tensor base() {
    return base;
  }

  /** Elements between the start of {@link #base} and the start of this view. */
  public long baseOffset() {
    return base == null ? 0 : (address.address() - base.address.address()) / dtype.bytes();
  }

  /**
   * Elements of another floating-point type, rounded to nearest even; this tensor itself when it
   * has the type. Not recorded by a tape.
   */
  public Tensor to(DType type) {
    if (type == dtype) {
      return this;
    }
    if (!dtype.isFloat() || (type != DType.F32 && type != DType.BF16)) {
      throw new CriaException("to: no conversion from " + this + " to " + type);
    }
    Tensor result = empty(device(), type, shape);
    Elementary.cast(device().queue(), size, dtype.code(), address(), type.code(), result.address());
    return result;
  }

  /** A new tensor with the same elements. Not recorded by a tape. */
  public Tensor copy() {
    Tensor result = empty(device(), dtype, shape);
    result.copyFrom(this);
    return result;
  }

  // ---------------------------------------------------------------- elements

  /** Sets all bytes to zero. */
  public void zero() {
    if (byteSize() % 4 == 0) {
      Elementary.fill(device().queue(), byteSize() / 4, 0f, address());
    } else {
      copyFrom(MemorySegment.ofArray(new byte[Math.toIntExact(byteSize())]));
    }
  }

  /** Sets all elements of an f32 tensor. */
  public void fill(float value) {
    expect(DType.F32, "fill");
    Elementary.fill(device().queue(), size, value, address());
  }

  /** Elements of a floating-point tensor as floats. */
  public float[] toFloats() {
    if (dtype != DType.F32) {
      try (Scope scope = Scope.open()) {
        return to(DType.F32).toFloats();
      }
    }
    float[] values = new float[Math.toIntExact(size)];
    HostCopy.download(this, MemorySegment.ofArray(values));
    return values;
  }

  /** Elements of an i32 tensor. */
  public int[] toInts() {
    expect(DType.I32, "toInts");
    int[] values = new int[Math.toIntExact(size)];
    HostCopy.download(this, MemorySegment.ofArray(values));
    return values;
  }

  /** Raw bytes of the elements, in the byte order of the machine. */
  public byte[] toBytes() {
    byte[] values = new byte[Math.toIntExact(byteSize())];
    HostCopy.download(this, MemorySegment.ofArray(values));
    return values;
  }

  /** The only element of a floating-point tensor. */
  public float item() {
    if (size != 1) {
      throw new CriaException("item: one element expected, got " + this);
    }
    return toFloats()[0];
  }

  /** Sets the elements of an f32 tensor. */
  public void copyFrom(float[] values) {
    expect(DType.F32, "copyFrom(float[])");
    Shapes.expectSize("copyFrom", values.length, shape);
    HostCopy.upload(this, MemorySegment.ofArray(values));
  }

  /** Sets the elements from raw bytes of host memory, exactly as many as the tensor has. */
  public void copyFrom(MemorySegment host) {
    expectBytes("copyFrom", host);
    HostCopy.upload(this, host);
  }

  /** Sets the elements from a tensor of the same type and number of elements. */
  public void copyFrom(Tensor other) {
    if (other.dtype != dtype || other.size != size) {
      throw new CriaException("copyFrom: " + other + " does not fit into " + this);
    }
    Devices.copy(device().queue(), byteSize(), other.address(), address());
  }

  /** Writes the raw bytes of the elements to host memory of exactly that size. */
  public void copyTo(MemorySegment host) {
    expectBytes("copyTo", host);
    HostCopy.download(this, host);
  }

  /**
   * The elements themselves, on a device whose memory is the host's; the segment becomes invalid
   * when the memory is freed.
   */
  public MemorySegment segment() {
    if (!device().isHostMemory()) {
      throw new CriaException(
          "segment: memory of "
              + device().name()
              + " is not visible here; use copyTo and copyFrom");
    }
    address();
    return storage.hostSegment().asSlice(offset(), byteSize());
  }

  // ---------------------------------------------------------------- memory

  /**
   * Gives the memory back before the scope closes (with all views of it). What a tape still needs
   * stays until the tape has used it.
   */
  public void close() {
    Scope owner = storage.owner;
    if (owner != null) {
      owner.remove(storage);
      storage.freeIfUnused();
    }
  }

  /** Whether the memory has been freed. */
  public boolean isClosed() {
    return storage.isFreed();
  }

  /** Keeps the memory alive, whatever its scope does, until {@link #release}. */
  public void retain() {
    address();
    storage.retain();
  }

  /** Takes back one {@link #retain}. */
  public void release() {
    storage.release();
  }

  /** Device address of the first element, for native calls. */
  public MemorySegment address() {
    if (storage.isFreed()) {
      throw new CriaException(
          "tensor: "
              + this
              + " was used after its memory had been freed; promote it to a scope that lives longer");
    }
    return address;
  }

  /** The address, or NULL for no tensor. */
  public static MemorySegment address(@Nullable Tensor tensor) {
    return tensor == null ? MemorySegment.NULL : tensor.address();
  }

  // ---------------------------------------------------------------- gradient of a leaf

  /**
   * From now on a recording tape treats this tensor as a leaf and adds its gradient to {@code
   * gradient} (f32, same shape) during the backward pass; null ends that.
   */
  public void attachGradient(@Nullable Tensor gradient) {
    if (gradient != null && (gradient.dtype != DType.F32 || gradient.size != size)) {
      throw new CriaException("attachGradient: " + gradient + " cannot be the gradient of " + this);
    }
    attachedGradient = gradient;
  }

  /** Where the gradient of this leaf is added, if attached. */
  public @Nullable Tensor attachedGradient() {
    return attachedGradient;
  }

  /** Type and dimensions, e.g. "f32[2, 3200]". */
  @Override
  public String toString() {
    return dtype + Arrays.toString(shape);
  }

  Storage storage() {
    return storage;
  }

  private long offset() {
    return address.address() - storage.address.address();
  }

  private void expect(DType type, String operation) {
    if (dtype != type) {
      throw new CriaException(operation + ": " + type + " expected, got " + this);
    }
  }

  private void expectBytes(String operation, MemorySegment host) {
    if (host.byteSize() != byteSize()) {
      throw new CriaException(
          operation + ": " + host.byteSize() + " bytes given, " + this + " has " + byteSize());
    }
  }
}
