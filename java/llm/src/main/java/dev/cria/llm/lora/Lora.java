package dev.cria.llm.lora;

import dev.cria.CriaException;
import dev.cria.DType;
import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.llm.Keys;
import dev.cria.llm.Llama;
import dev.cria.nn.LoraBranch;
import dev.cria.nn.Parameter;
import dev.cria.nn.Weight;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Puts adapters on a model: new ones, or those of a folder in the PEFT layout. */
public final class Lora {
  /** Name of an adapter that was given none. */
  public static final String DEFAULT_NAME = "default";

  private Lora() {}

  /** A new adapter of seed 0, attached to the model and switched on. */
  public static Adapter attach(Llama model, LoraConfig config) {
    return attach(model, config, 0);
  }

  /**
   * A new adapter, attached to the model and switched on: A uniform in ±1/sqrt(in) (Kaiming uniform
   * with a = sqrt 5), B zero, so that it changes nothing yet. A depends on the seed and the name of
   * its matrix only.
   */
  public static Adapter attach(Llama model, LoraConfig config, long seed) {
    Scope scope = Scope.detached();
    Map<String, LoraBranch> branches = new LinkedHashMap<>();
    try {
      model
          .linears()
          .forEach(
              (module, weight) -> {
                if (config.selects(module)) {
                  branches.put(module, fresh(model.device(), scope, module, weight, config, seed));
                }
              });
      if (branches.isEmpty()) {
        throw new CriaException(
            "LoRA: no matrix of the model is called "
                + config.targets()
                + "; targets are the ends"
                + " of names such as "
                + model.linears().keySet().iterator().next());
      }
      Adapter adapter = new Adapter(DEFAULT_NAME, config, scope, branches);
      model.attach(adapter);
      return adapter;
    } catch (RuntimeException | Error e) {
      scope.close();
      throw e;
    }
  }

  private static LoraBranch fresh(
      Device device, Scope scope, String module, Weight weight, LoraConfig config, long seed) {
    String nameA = module + ".lora_A.weight";
    long in = weight.inFeatures();
    float bound = (float) (1 / Math.sqrt(in));
    try (Scope temporary = Scope.open()) {
      Tensor a =
          Tensor.uniform(device, Keys.of(seed, nameA), -bound, bound, DType.F32, config.rank(), in);
      Tensor b = Tensor.zeros(device, DType.F32, weight.outFeatures(), config.rank());
      return new LoraBranch(
          new Parameter(nameA, scope.adopt(a), false),
          new Parameter(module + ".lora_B.weight", scope.adopt(b), false),
          config.scale(),
          (float) config.dropout());
    }
  }

  /** Loads the adapter of a PEFT folder, attaches it to the model and switches it on. */
  public static Adapter load(Llama model, Path directory) {
    return load(model, directory, DEFAULT_NAME);
  }

  /** The same under a name of its own, beside others. */
  public static Adapter load(Llama model, Path directory, String name) {
    Adapter adapter = PeftFolder.read(directory, model.device(), name);
    try {
      model.attach(adapter);
      return adapter;
    } catch (RuntimeException | Error e) {
      adapter.close();
      throw e;
    }
  }
}
