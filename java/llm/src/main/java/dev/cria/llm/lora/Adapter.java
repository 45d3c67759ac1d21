package dev.cria.llm.lora;

import dev.cria.CriaException;
import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.llm.Llama;
import dev.cria.nn.LoraBranch;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A named set of low-rank changes, one for each target matrix. It holds float32 A [R,in] and B
 * [out,R]; the model it is attached to is not changed by it.
 */
public final class Adapter implements AutoCloseable {
  private final String name;
  private final LoraConfig config;
  private final Scope scope;
  private final Map<String, LoraBranch> training;
  private final Map<String, LoraBranch> evaluation = new LinkedHashMap<>();

  Adapter(String name, LoraConfig config, Scope scope, Map<String, LoraBranch> branches) {
    this.name = name;
    this.config = config;
    this.scope = scope;
    this.training = Collections.unmodifiableMap(branches);
    branches.forEach(
        (module, b) -> evaluation.put(module, new LoraBranch(b.a(), b.b(), b.scale(), 0)));
  }

  /**
   * One frozen adapter that does the weighted work of several: sum over i of weight_i * scale_i *
   * A_i^T B_i^T. Its rank is the sum of their ranks; dropout is off. The parts stay as they are.
   *
   * @param parts adapters of one model with their weights
   */
  public static Adapter weighted(String name, Device device, Map<Adapter, Float> parts) {
    Map<String, List<Part>> byModule = new LinkedHashMap<>();
    int rank = 0;
    for (Map.Entry<Adapter, Float> entry : parts.entrySet()) {
      rank += entry.getKey().config.rank();
      entry
          .getKey()
          .evaluation
          .forEach(
              (module, branch) ->
                  byModule
                      .computeIfAbsent(module, m -> new ArrayList<>())
                      .add(new Part(branch, entry.getValue())));
    }
    Scope scope = Scope.detached();
    Map<String, LoraBranch> branches = new LinkedHashMap<>();
    try {
      byModule.forEach(
          (module, list) -> branches.put(module, concatenate(module, device, scope, list)));
    } catch (RuntimeException | Error e) {
      scope.close();
      throw e;
    }
    return new Adapter(name, LoraConfig.of(Math.max(1, rank), Math.max(1, rank)), scope, branches);
  }

  private record Part(LoraBranch branch, float weight) {}

  private static LoraBranch concatenate(
      String module, Device device, Scope scope, List<Part> parts) {
    int rank = 0;
    for (Part part : parts) {
      rank += (int) part.branch.a().value().dim(0);
    }
    int in = (int) parts.getFirst().branch.a().value().dim(1);
    int out = (int) parts.getFirst().branch.b().value().dim(0);
    float[] a = new float[rank * in];
    float[] b = new float[out * rank];
    int row = 0;
    for (Part part : parts) {
      float[] partA = part.branch.a().value().toFloats();
      float[] partB = part.branch.b().value().toFloats();
      int r = partA.length / in;
      System.arraycopy(partA, 0, a, row * in, partA.length);
      float factor = part.weight * part.branch.scale();
      for (int n = 0; n < out; n++) {
        for (int j = 0; j < r; j++) {
          b[n * rank + row + j] = factor * partB[n * r + j];
        }
      }
      row += r;
    }
    try (Scope temporary = Scope.open()) {
      Tensor ta = scope.adopt(Tensor.of(device, a, rank, in));
      Tensor tb = scope.adopt(Tensor.of(device, b, out, rank));
      return new LoraBranch(
          new Parameter(module + ".lora_A.weight", ta, false),
          new Parameter(module + ".lora_B.weight", tb, false),
          1,
          0);
    }
  }

  /** What the adapter is called among those of its model. */
  public String name() {
    return name;
  }

  /** Rank, strength, dropout and targets. */
  public LoraConfig config() {
    return config;
  }

  /** Paths of the matrices it changes, in the order of the model. */
  public List<String> modules() {
    return List.copyOf(training.keySet());
  }

  /**
   * The change of one matrix, null where it has none.
   *
   * @param module module path, for example {@code model.layers.0.mlp.up_proj}
   * @param dropout whether the adapter's dropout is on
   */
  public @Nullable LoraBranch branch(String module, boolean dropout) {
    return (dropout ? training : evaluation).get(module);
  }

  /** A and B of every matrix, in the order of the model. */
  public List<Parameter> parameters() {
    List<Parameter> list = new ArrayList<>();
    for (LoraBranch branch : training.values()) {
      list.add(branch.a());
      list.add(branch.b());
    }
    return list;
  }

  /** Number of trained values. */
  public long parameterCount() {
    return parameters().stream().mapToLong(p -> p.value().size()).sum();
  }

  /** Throws unless every target exists in the model with the right shape. */
  public void checkFits(Llama model) {
    training.forEach(
        (module, branch) -> {
          Weight weight = model.linears().get(module);
          if (weight == null) {
            throw new CriaException(
                "adapter " + name + ": the model has no matrix " + module + " to adapt");
          }
          long in = branch.a().value().dim(1);
          long out = branch.b().value().dim(0);
          if (in != weight.inFeatures() || out != weight.outFeatures()) {
            throw new CriaException(
                "adapter "
                    + name
                    + ": made for "
                    + module
                    + " of ["
                    + out
                    + ", "
                    + in
                    + "], the model has ["
                    + weight.outFeatures()
                    + ", "
                    + weight.inFeatures()
                    + "]");
          }
        });
  }

  /** Saves the adapter in the PEFT layout; an existing folder is refused. */
  public void save(Path directory) {
    PeftFolder.write(this, directory, null, false);
  }

  @Override
  public void close() {
    scope.close();
  }
}
