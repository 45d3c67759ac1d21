package dev.cria.cli;

import dev.cria.DType;
import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.autograd.Ops;
import dev.cria.autograd.Tape;
import dev.cria.nn.LoraBranch;
import dev.cria.nn.Nf4Matrix;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Linear layers on the shapes of OpenLLaMA-3B. */
@Command(
    name = "matmul",
    sortOptions = false,
    customSynopsis = "cria bench matmul [OPTIONS]",
    description = {
      "Measure linear layers on the shapes of OpenLLaMA-3B.",
      "NF4, optionally with LoRA, the bf16 head, and dense f32; forward, and backward to the input."
    },
    footer = {"", "Example: cria bench matmul --tokens 64,512,2048"})
final class BenchMatmulCommand extends BenchRun {
  @Option(
      names = "--tokens",
      order = 1,
      split = ",",
      paramLabel = "N",
      defaultValue = "64,512,2048",
      description = "Rows of the input (${DEFAULT-VALUE}).")
  private int[] tokens = {};

  @Option(
      names = "--rank",
      order = 2,
      paramLabel = "R",
      defaultValue = "0",
      description =
          "Rank of a LoRA adapter on the NF4 layers, its gradients included; 0: none (${DEFAULT-VALUE}).")
  private int rank;

  private final List<Map<String, Object>> rows = new ArrayList<>();

  /** A linear layer. */
  private record Layer(String kind, int in, int out) {}

  private static final List<Layer> LAYERS =
      List.of(
          new Layer("nf4", 3200, 3200),
          new Layer("nf4", 3200, 8640),
          new Layer("nf4", 8640, 3200),
          new Layer("bf16", 3200, 32000),
          new Layer("f32", 3200, 3200),
          new Layer("f32", 3200, 8640));

  @Override
  protected void check() {
    super.check();
    for (int m : tokens) {
      if (m < 1 || m > 1 << 16) {
        throw usage("--tokens must be 1..65536: " + m);
      }
    }
    if (rank < 0 || rank > 1024) {
      throw usage("--rank must be 0..1024: " + rank);
    }
  }

  @Override
  protected void measure(Device device) {
    say("%-22s %6s   %-36s %s", "layer", "tokens", "forward, GFLOP/s", "backward, GFLOP/s");
    for (Layer layer : LAYERS) {
      try (Scope memory = Scope.open()) {
        Tensor numbers = Tensor.randn(device, 1, 0, 0.02f, type(layer), layer.out, layer.in);
        if (layer.kind.equals("nf4")) {
          try (Nf4Matrix matrix = Nf4Matrix.quantize(numbers, 64, true)) {
            measure(device, layer, new Weight.Nf4(matrix), rank == 0 ? null : lora(device, layer));
          }
        } else {
          measure(device, layer, new Weight.Dense(new Parameter("weight", numbers)), null);
        }
      }
    }
    fact("layers", rows);
  }

  private static DType type(Layer layer) {
    return layer.kind.equals("f32") ? DType.F32 : DType.BF16;
  }

  private LoraBranch lora(Device device, Layer layer) {
    Parameter a = new Parameter("a", Tensor.randn(device, 2, 0, 0.02f, DType.F32, rank, layer.in));
    Parameter b = new Parameter("b", Tensor.randn(device, 3, 0, 0.02f, DType.F32, layer.out, rank));
    a.setTrainable(true);
    b.setTrainable(true);
    return new LoraBranch(a, b, 1, 0);
  }

  private void measure(Device device, Layer layer, Weight weight, @Nullable LoraBranch lora) {
    String function = layer.kind.equals("nf4") ? "cria_nf4_linear" : "cria_linear";
    double best = layer.kind.equals("f32") ? peak.f32FlopsPerSecond() : peak.bf16FlopsPerSecond();
    for (int m : tokens) {
      try (Scope memory = Scope.open()) {
        Tensor x = Tensor.randn(device, 4, 0, 1, DType.F32, m, layer.in);
        Tensor dy = Tensor.randn(device, 5, 0, 1, DType.F32, m, layer.out);
        List<Measured> seconds =
            nativeSeconds(device, () -> run(x, dy, weight, lora), function, function + "_bwd");
        double product = 2.0 * m * layer.in * layer.out;
        double low = lora == null ? 0 : 2.0 * m * rank * (layer.in + layer.out);
        Measured forward = seconds.get(0).map(s -> (product + low) / s);
        Measured backward = seconds.get(1).map(s -> (product + 2 * low) / s);
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("weight", layer.kind);
        row.put("in", layer.in);
        row.put("out", layer.out);
        row.put("tokens", m);
        row.put("rank", lora == null ? 0 : rank);
        rate(row, "forward", "flops", forward, best);
        rate(row, "backward", "flops", backward, best);
        rows.add(row);
        say(
            "%-22s %6d   %s   %s",
            "%s %d -> %d".formatted(layer.kind, layer.in, layer.out),
            m,
            shown(forward, best),
            shown(backward, best));
      }
    }
  }

  private static void run(Tensor x, Tensor dy, Weight weight, @Nullable LoraBranch lora) {
    try (Scope step = Scope.open();
        Tape tape = Tape.record()) {
      tape.watch(x);
      tape.backward(Ops.linear(x, weight, lora, 0), dy);
    }
  }
}
