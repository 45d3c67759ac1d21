package dev.cria.bench;

import dev.cria.DType;
import dev.cria.Device;
import dev.cria.DeviceCheck.Peak;
import dev.cria.Scope;
import dev.cria.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Runs an operation on the CPU device and rates it. Each combination of parameters runs in a
 * process of its own, which first measures the machine's peak with as many threads.
 */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Fork(1)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 5, time = 1)
public abstract class OperationBenchmark {
  /** Shapes. */
  @Param("OPENLLAMA_3B")
  public Model model = Model.OPENLLAMA_3B;

  /** Threads that compute; 0: one per processor that the process may use. */
  @Param("0")
  public int threads;

  private final List<AutoCloseable> owned = new ArrayList<>();
  private long keys;
  private Scope memory;
  private Device device;
  private Peak peak;
  private Operation operation;

  /** Makes the inputs; their memory lives until the measurement is over. */
  protected abstract Operation prepare();

  @Setup(Level.Trial)
  public final void open() {
    peak = Calibration.of(threads);
    device = Device.open("cpu", threads);
    memory = Scope.detached();
    operation = memory.call(this::prepare);
  }

  @Setup(Level.Invocation)
  public final void before() {
    operation.before();
  }

  /** One run. */
  @Benchmark
  public final void run(Rate rate, Peaks peaks) {
    operation.run();
    rate.count(operation.work(), peak);
    peaks.set(peak);
  }

  @TearDown(Level.Invocation)
  public final void after() {
    operation.after();
  }

  @TearDown(Level.Trial)
  public final void close() throws Exception {
    for (AutoCloseable resource : owned.reversed()) {
      resource.close();
    }
    owned.clear();
    memory.close();
    device.close();
  }

  protected final Device device() {
    return device;
  }

  /** Closes this when the measurement is over. */
  protected final <T extends AutoCloseable> T own(T resource) {
    owned.add(resource);
    return resource;
  }

  /** Normal numbers with deviation 1. */
  protected final Tensor numbers(long... shape) {
    return numbers(DType.F32, 1, shape);
  }

  protected final Tensor numbers(DType type, float deviation, long... shape) {
    return Tensor.randn(device, ++keys, 0, deviation, type, shape);
  }

  /** Whole numbers from 0 to below a limit, in no order that a prefetcher could follow. */
  protected final Tensor indices(int count, int limit) {
    int[] values = new int[count];
    java.util.Random random = new java.util.Random(1);
    for (int i = 0; i < count; i++) {
      values[i] = random.nextInt(limit);
    }
    return Tensor.ofInts(device, values, count);
  }

  /**
   * A differentiable operation in one direction.
   *
   * @param inputs whose gradients the backward pass computes, besides those of trained parameters
   * @param forward the operation
   * @param gradient of its output
   */
  protected static Operation differentiable(
      Direction direction,
      List<Tensor> inputs,
      Supplier<Tensor> forward,
      Tensor gradient,
      Work forwardWork,
      Work backwardWork) {
    return direction == Direction.FORWARD
        ? Operation.forward(forwardWork, forward)
        : Operation.backward(backwardWork, inputs, forward, gradient);
  }
}
