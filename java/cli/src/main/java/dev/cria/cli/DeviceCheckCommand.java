package dev.cria.cli;

import dev.cria.Device;
import dev.cria.DeviceCheck;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Checks that a device computes what the CPU does, and shows how near to its limits it is. */
@Command(
    name = "device-check",
    sortOptions = false,
    customSynopsis = "cria device-check [DEVICE] [OPTIONS]",
    description = {
      "Check each primitive and each kernel of a device against the CPU, then show the bandwidth",
      "and the speed that each kernel reaches on shapes of OpenLLaMA-3B, beside the roofline."
    },
    footer = {"", "Example: cria device-check cuda:0"})
final class DeviceCheckCommand extends CriaCommand {
  @Parameters(
      paramLabel = "DEVICE",
      arity = "0..1",
      defaultValue = "cuda:0",
      description = "cuda:0, cuda:1, ..., or simt, the emulator (${DEFAULT-VALUE}).")
  private String name = "cuda:0";

  @Option(
      names = "--repeats",
      order = 1,
      paramLabel = "N",
      defaultValue = "20",
      description =
          "How often each kernel is timed, where the device knows its peak (${DEFAULT-VALUE}).")
  private int repeats;

  private final List<Map<String, Object>> primitives = new ArrayList<>();
  private final List<Map<String, Object>> operations = new ArrayList<>();
  private int wrong;

  @Override
  protected void check() {
    if (repeats < 0 || repeats > 1000) {
      throw usage("--repeats must be 0..1000: " + repeats);
    }
  }

  @Override
  protected int run() {
    try (Device device = Device.open(name)) {
      DeviceCheck.Peak peak = DeviceCheck.peak(device);
      boolean timed = peak.bytesPerSecond() > 0;
      say("%s", device);
      say("");
      DeviceCheck.primitives(device, result -> report(result, primitives, peak));
      DeviceCheck.operations(
          device, timed ? repeats : 0, result -> report(result, operations, peak));
      say("");
      say("%d checks, %d wrong", primitives.size() + operations.size(), wrong);
      Map<String, Object> facts = new LinkedHashMap<>();
      facts.put("device", name);
      facts.put("peak_bytes_per_second", peak.bytesPerSecond());
      facts.put("peak_bf16_flops_per_second", peak.bf16FlopsPerSecond());
      facts.put("peak_f32_flops_per_second", peak.f32FlopsPerSecond());
      facts.put("primitives", primitives);
      facts.put("operations", operations);
      facts.put("wrong", wrong);
      result(facts);
    }
    return wrong == 0 ? 0 : 1;
  }

  private void report(
      DeviceCheck.Result check, List<Map<String, Object>> into, DeviceCheck.Peak peak) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("name", check.name());
    facts.put("right", check.right());
    facts.put("error_of_allowed", check.worst());
    String speed = "";
    if (check.seconds() > 0) {
      double bandwidth = check.bytes() / check.seconds();
      double flops = check.flops() / check.seconds();
      double roofline = roofline(check, peak);
      facts.put("seconds", check.seconds());
      facts.put("bytes_per_second", bandwidth);
      facts.put("flops_per_second", flops);
      facts.put("of_roofline", roofline / check.seconds());
      speed =
          "%10.1f us %8.0f GB/s %8.1f TFLOP/s %5.1f %% of the roofline"
              .formatted(
                  check.seconds() * 1e6,
                  bandwidth / 1e9,
                  flops / 1e12,
                  100 * roofline / check.seconds());
    }
    into.add(facts);
    if (!check.right()) {
      wrong++;
    }
    say(
        "%-6s %-26s error %5.2f of what is allowed%s",
        check.right() ? "right" : "WRONG", check.name(), check.worst(), speed);
  }

  /** The least time that one run can take, in seconds. */
  private static double roofline(DeviceCheck.Result check, DeviceCheck.Peak peak) {
    double memory = check.bytes() / peak.bytesPerSecond();
    return peak.bf16FlopsPerSecond() > 0
        ? Math.max(memory, check.flops() / peak.bf16FlopsPerSecond())
        : memory;
  }
}
