package dev.cria.bench;

import dev.cria.Device;
import dev.cria.internal.NativeLibrary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;

/** Where and with what something was measured. */
final class Machine {
  private Machine() {}

  /** One line. */
  static String describe() {
    try (Device device = Device.open("cpu")) {
      return "%s. %s, %s. Cria %s, Java %s."
          .formatted(
              LocalDate.now(), processor(), device, NativeLibrary.version(), Runtime.version());
    }
  }

  private static String processor() {
    try {
      return Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
          .filter(line -> line.startsWith("model name"))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst()
          .orElse("unknown processor");
    } catch (IOException e) {
      return "unknown processor";
    }
  }
}
