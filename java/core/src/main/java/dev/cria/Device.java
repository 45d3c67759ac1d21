package dev.cria;

import dev.cria.internal.Abi;
import dev.cria.internal.Devices;
import dev.cria.internal.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A place with memory that computes: "cpu", and "cuda:0" where that library is installed. A device
 * may be shared by threads; each thread gets its own queue of work. Close it after everything that
 * was allocated on it: {@link #close} refuses while memory is alive.
 */
public final class Device implements AutoCloseable {
  private final MemorySegment handle;
  private final String name;
  private final String isa;
  private final int threads;
  private final List<MemorySegment> allQueues = new ArrayList<>();
  private ThreadLocal<MemorySegment> queues = ThreadLocal.withInitial(this::createQueue);
  private volatile @Nullable Recording recording;
  private volatile boolean closed;

  /** Memory that the thread freed while it recorded a graph, which uses it at each run. */
  record Recording(Thread thread, List<MemorySegment> freed) {}

  private Device(MemorySegment handle) {
    this.handle = handle;
    this.name = NativeLibrary.string(Devices.deviceName(handle));
    this.isa = NativeLibrary.string(Devices.deviceIsa(handle));
    this.threads = Devices.deviceThreads(handle);
  }

  /** Opens a device with one worker thread per processor that the process may use. */
  public static Device open(String name) {
    return open(name, 0);
  }

  /**
   * Opens a device.
   *
   * @param name "cpu" or "cuda:0"
   * @param threads worker threads of a CPU device; 0 for one per processor
   */
  public static Device open(String name, int threads) {
    if (threads < 0) {
      throw new CriaException("open device: threads is " + threads + "; 0 means all processors");
    }
    NativeLibrary.load();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
      Devices.deviceOpen(arena.allocateFrom(name), threads, out);
      return new Device(out.get(ValueLayout.ADDRESS, 0));
    }
  }

  /** Opens the first GPU if the library can use one, else the CPU. */
  public static Device best() {
    try {
      return open("cuda:0");
    } catch (NativeException e) {
      return open("cpu");
    }
  }

  /** Name it was opened with. */
  public String name() {
    return name;
  }

  /** Instruction-set tier in use, e.g. "avx512bf16". */
  public String isa() {
    return isa;
  }

  /** Worker threads, the caller's included. */
  public int threads() {
    return threads;
  }

  /** Bytes that callers hold now: tensors, NF4 matrices, caches. */
  public long liveBytes() {
    return memory(0);
  }

  /** Most bytes ever held, or held since {@link #resetPeak}. */
  public long peakBytes() {
    return memory(1);
  }

  /** Bytes the device keeps for its own kernels. */
  public long scratchBytes() {
    return memory(2);
  }

  /** Starts the peak anew from the bytes now live. */
  public void resetPeak() {
    Devices.deviceResetPeak(handle());
  }

  /** Refuses allocations above this many live bytes with OUT_OF_MEMORY; 0 for no limit. */
  public void setLimit(long bytes) {
    Devices.deviceSetLimit(handle(), bytes);
  }

  /** Waits for the work of this thread and reports its first error. */
  public void synchronize() {
    Devices.queueSynchronize(queue());
  }

  /** Frees the device. Fails, and leaves it open, while memory allocated on it is alive. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    for (MemorySegment queue : allQueues) {
      Devices.queueDestroy(queue);
    }
    allQueues.clear();
    queues = ThreadLocal.withInitial(this::createQueue);
    Devices.deviceClose(handle);
    closed = true;
  }

  /** The {@code cria_queue*} of this thread, for callers of the C interface. */
  public MemorySegment queue() {
    return queues.get();
  }

  /** The {@code cria_device*}, for callers of the C interface. */
  public MemorySegment handle() {
    if (closed) {
      throw new CriaException("device " + name + ": already closed");
    }
    return handle;
  }

  /** Whether addresses of this device are ordinary addresses of this process. */
  public boolean isHostMemory() {
    return name.equals("cpu");
  }

  /** Frees memory of {@code cria_alloc}, or keeps it for the graph that this thread records. */
  void free(MemorySegment address) {
    Recording now = recording;
    if (now != null && now.thread == Thread.currentThread()) {
      now.freed.add(address);
    } else {
      Devices.free(handle(), address);
    }
  }

  /** Begins, or with null ends, keeping what a thread frees. */
  void setRecording(@Nullable Recording value) {
    recording = value;
  }

  @Override
  public String toString() {
    return name + " (" + isa + ", " + threads + (threads == 1 ? " thread)" : " threads)");
  }

  private synchronized MemorySegment createQueue() {
    MemorySegment out = Abi.scratch();
    Devices.queueCreate(handle(), out);
    MemorySegment queue = out.get(ValueLayout.ADDRESS, 0);
    allQueues.add(queue);
    return queue;
  }

  private long memory(int which) {
    MemorySegment out = Abi.scratch();
    Devices.deviceMemory(handle(), out, out.asSlice(8), out.asSlice(16));
    return out.getAtIndex(ValueLayout.JAVA_LONG, which);
  }
}
