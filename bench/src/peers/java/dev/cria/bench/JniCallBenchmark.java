package dev.cria.bench;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.concurrent.TimeUnit;
import org.bytedeco.openblas.global.openblas;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** A call of {@code LAPACKE_get_nancheck}, which returns a variable, by JNI and by FFM. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class JniCallBenchmark {
  private static final MethodHandle FFM =
      Linker.nativeLinker()
          .downcallHandle(
              OpenBlas.library().find("LAPACKE_get_nancheck").orElseThrow(),
              FunctionDescriptor.of(ValueLayout.JAVA_INT));

  /** Through JNI, bound by JavaCPP. */
  @Benchmark
  public int jni() {
    return openblas.LAPACKE_get_nancheck();
  }

  /** Through the foreign function interface of Java. */
  @Benchmark
  public int ffm() throws Throwable {
    return (int) FFM.invokeExact();
  }
}
