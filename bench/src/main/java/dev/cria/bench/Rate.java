package dev.cria.bench;

import dev.cria.DeviceCheck.Peak;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/**
 * Further columns of a result. JMH divides the counters by the time measured, in seconds because
 * {@link OperationBenchmark} counts operations per second.
 */
@AuxCounters(AuxCounters.Type.OPERATIONS)
@State(Scope.Thread)
public class Rate {
  /** GFLOP/s. */
  public double gflops;

  /** GB/s. */
  public double gbytes;

  /** The time that the work takes at the machine's peak, as percent of the time it took. */
  public double percentOfPeak;

  void count(Work work, Peak peak) {
    gflops += work.flops() * 1e-9;
    gbytes += work.bytes() * 1e-9;
    percentOfPeak += 100 * work.seconds(peak);
  }
}
