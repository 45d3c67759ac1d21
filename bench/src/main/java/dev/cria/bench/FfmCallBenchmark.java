package dev.cria.bench;

import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import dev.cria.internal.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.CompilerControl;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** What a call of a native function costs, against a call of a Java method. */
@State(org.openjdk.jmh.annotations.Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class FfmCallBenchmark {
  private static final MethodHandle PLAIN = link();
  private static final MethodHandle CRITICAL = link(Linker.Option.critical(false));

  private static MethodHandle link(Linker.Option... options) {
    MemorySegment function =
        SymbolLookup.libraryLookup(NativeLibrary.load().file(), Arena.global())
            .find("cria_abi_version")
            .orElseThrow();
    return Linker.nativeLinker()
        .downcallHandle(function, FunctionDescriptor.of(ValueLayout.JAVA_INT), options);
  }

  /** A Java method that is called, not inlined. */
  @Benchmark
  public int java() {
    return one();
  }

  @CompilerControl(CompilerControl.Mode.DONT_INLINE)
  private static int one() {
    return 1;
  }

  /** {@code cria_abi_version}, which returns a constant, linked as the library links everything. */
  @Benchmark
  public int ffm() throws Throwable {
    return (int) PLAIN.invokeExact();
  }

  /** The same without the transition that lets the garbage collector run beside it. */
  @Benchmark
  public int ffmCritical() throws Throwable {
    return (int) CRITICAL.invokeExact();
  }

  /** A device and a number on it. */
  @State(org.openjdk.jmh.annotations.Scope.Thread)
  public static class One {
    private final Device device = Device.open("cpu", 1);
    private final Scope memory = Scope.detached();
    private final Tensor number = memory.call(() -> Tensor.scalar(device, 1));

    @org.openjdk.jmh.annotations.TearDown
    public void close() {
      memory.close();
      device.close();
    }
  }

  /** The least function that checks its arguments and returns a status. */
  @Benchmark
  public void synchronize(One one) {
    one.device.synchronize();
  }

  /** The smallest operation: a scope, a tensor of one number, and adding to it. */
  @Benchmark
  public void addOneNumber(One one) {
    try (Scope scope = Scope.open()) {
      Ops.add(one.number, one.number);
    }
  }
}
