package dev.cria.cli;

import dev.cria.llm.ProcessMemory;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Seconds and peak resident memory of each phase of a command. The peak is sampled by a thread: the
 * kernel's own high-water mark also counts clean pages of mapped files.
 */
final class Phases implements AutoCloseable {
  private static final long SAMPLE_MILLIS = 20;

  private final List<Phase> phases = new ArrayList<>();
  private final AtomicLong peak = new AtomicLong();
  private final AtomicLong whole = new AtomicLong();
  private final Thread sampler;
  private long begin = System.nanoTime();

  /** What one phase took. */
  private record Phase(String name, double seconds, long peak) {}

  Phases() {
    sampler = Thread.ofPlatform().daemon().name("cria-memory").start(this::watch);
  }

  private void watch() {
    try {
      while (true) {
        sample();
        Thread.sleep(SAMPLE_MILLIS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void sample() {
    long now = ProcessMemory.residentBytes();
    peak.accumulateAndGet(now, Math::max);
    whole.accumulateAndGet(now, Math::max);
  }

  /** Ends the present phase under this name and begins the next. */
  void done(String name) {
    sample();
    long now = System.nanoTime();
    phases.add(new Phase(name, (now - begin) * 1e-9, peak.getAndSet(0)));
    begin = now;
  }

  /** Most resident bytes since the command began. */
  long peak() {
    return whole.get();
  }

  /** All phases so far, for programs. */
  List<Map<String, Object>> toList() {
    List<Map<String, Object>> list = new ArrayList<>();
    for (Phase phase : phases) {
      Map<String, Object> map = new LinkedHashMap<>();
      map.put("phase", phase.name());
      map.put("seconds", phase.seconds());
      map.put("peak_resident_bytes", phase.peak());
      list.add(map);
    }
    return list;
  }

  /** All phases so far, for people. */
  List<String> lines() {
    return phases.stream()
        .map(
            p ->
                "  %-12s %8.2f s   peak memory %s"
                    .formatted(p.name(), p.seconds(), Sizes.show(p.peak())))
        .toList();
  }

  @Override
  public void close() {
    sampler.interrupt();
  }
}
