package dev.cria;

import dev.cria.internal.NativeLibrary;
import dev.cria.internal.SelfCheck;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * The self-check of a device: what its kernels are made of against a plain model, and its
 * operations against the CPU.
 */
public final class DeviceCheck {
  /**
   * One check.
   *
   * @param name of a primitive or an operation
   * @param worst the largest error as a share of what is allowed
   * @param seconds median time of one run, 0 where it was not timed
   * @param bytes the least that one run must move, 0 where it was not timed
   * @param flops the floating-point operations of one run, 0 where it was not timed
   */
  public record Result(String name, double worst, double seconds, double bytes, double flops) {
    /** Whether the error is within what is allowed. */
    public boolean right() {
      return worst <= 1;
    }
  }

  /**
   * What a device could do at best; zeros where that is not known.
   *
   * @param bytesPerSecond reading of its memory
   * @param bf16FlopsPerSecond operations on bf16 inputs with float32 sums, two to a multiply-add
   * @param f32FlopsPerSecond the same on float32 inputs
   */
  public record Peak(double bytesPerSecond, double bf16FlopsPerSecond, double f32FlopsPerSecond) {}

  private DeviceCheck() {}

  /**
   * What the device could do at best: of a GPU from its clocks and units, of the CPU by a
   * measurement of about a quarter of a second, which takes 256 MiB.
   */
  public static Peak peak(Device device) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ValueLayout.JAVA_DOUBLE, 3);
      SelfCheck.devicePeak(device.handle(), out, out.asSlice(8), out.asSlice(16));
      return new Peak(
          out.getAtIndex(ValueLayout.JAVA_DOUBLE, 0),
          out.getAtIndex(ValueLayout.JAVA_DOUBLE, 1),
          out.getAtIndex(ValueLayout.JAVA_DOUBLE, 2));
    }
  }

  /** The name of this machine's processor as the system tells it. */
  public static String processor() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/cpuinfo"))) {
      return lines
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse("unknown processor");
    } catch (IOException | UncheckedIOException e) {
      return "unknown processor";
    }
  }

  /** Checks each primitive of the device's kernels; the CPU has none. */
  public static void primitives(Device device, Consumer<Result> report) {
    run(report, (index, name, out) -> SelfCheck.checkPrimitive(device.queue(), index, name, out));
  }

  /**
   * Checks each operation against the CPU.
   *
   * @param repeats how often each is timed on a shape of OpenLLaMA-3B, 0 for not at all
   */
  public static void operations(Device device, int repeats, Consumer<Result> report) {
    run(
        report,
        (index, name, out) ->
            SelfCheck.checkOperation(
                device.queue(),
                index,
                repeats,
                name,
                out,
                out.asSlice(8),
                out.asSlice(16),
                out.asSlice(24)));
  }

  private interface Check {
    void run(int index, MemorySegment name, MemorySegment out);
  }

  private static void run(Consumer<Result> report, Check check) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment name = arena.allocate(ValueLayout.ADDRESS);
      MemorySegment out = arena.allocate(ValueLayout.JAVA_DOUBLE, 4);
      for (int index = 0; ; index++) {
        check.run(index, name, out);
        MemorySegment text = name.get(ValueLayout.ADDRESS, 0);
        if (text.address() == 0) {
          return;
        }
        report.accept(
            new Result(
                NativeLibrary.string(text),
                out.getAtIndex(ValueLayout.JAVA_DOUBLE, 0),
                out.getAtIndex(ValueLayout.JAVA_DOUBLE, 1),
                out.getAtIndex(ValueLayout.JAVA_DOUBLE, 2),
                out.getAtIndex(ValueLayout.JAVA_DOUBLE, 3)));
      }
    }
  }
}
