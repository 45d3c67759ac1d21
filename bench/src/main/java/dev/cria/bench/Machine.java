package dev.cria.bench;

import dev.cria.Device;
import dev.cria.DeviceCheck;
import dev.cria.internal.NativeLibrary;
import java.time.LocalDate;

/** Where and with what something was measured. */
final class Machine {
  private Machine() {}

  /** One line. */
  static String describe() {
    try (Device device = Device.open("cpu")) {
      return "%s. %s, %s. Cria %s, Java %s."
          .formatted(
              LocalDate.now(),
              DeviceCheck.processor(),
              device,
              NativeLibrary.version(),
              Runtime.version());
    }
  }
}
