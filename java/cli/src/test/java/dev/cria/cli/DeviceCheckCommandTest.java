package dev.cria.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.cria.Device;
import dev.cria.NativeException;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

/** The self-check of devices. */
class DeviceCheckCommandTest {
  @Test
  void aMachineWithoutAGpuIsToldSoInOneLine() {
    assumeFalse(opens("cuda:0"), "this machine has a GPU");
    Cli check = Cli.run("device-check");
    assertThat(check.code()).isEqualTo(1);
    assertThat(check.err().strip()).contains("cuda:0").doesNotContain("\n");
    assertThat(check.out()).isEmpty();
  }

  private static boolean opens(String device) {
    try {
      Device.open(device).close();
      return true;
    } catch (NativeException e) {
      return false;
    }
  }

  @Test
  void everyCheckIsRightOnTheEmulator() {
    assumeTrue(opens("simt"), "libcria_simt.so is not built (cmake -P native/cmake/build.cmake)");
    JsonNode check = Cli.json("device-check", "simt");
    assertThat(check.path("wrong").asInt()).isZero();
    assertThat(check.path("primitives").size()).isGreaterThan(15);
    assertThat(check.path("operations").size()).isGreaterThan(20);
    check.path("operations").forEach(one -> assertThat(one.path("right").asBoolean()).isTrue());
  }

  @Test
  void repeatsOutOfRangeAreWrongUsage() {
    assertThat(Cli.run("device-check", "simt", "--repeats", "-1").code()).isEqualTo(2);
  }
}
