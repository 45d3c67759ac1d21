package dev.cria.llm.lora;

import dev.cria.DType;
import dev.cria.Device;
import dev.cria.Scope;
import dev.cria.Tensor;
import dev.cria.llm.InvalidInputException;
import dev.cria.llm.checkpoint.AtomicFolder;
import dev.cria.llm.checkpoint.Json;
import dev.cria.nn.LoraBranch;
import dev.cria.nn.Parameter;
import dev.cria.safetensors.SafetensorsFile;
import dev.cria.safetensors.SafetensorsWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Reads and writes adapters in the layout of PEFT: {@code adapter_config.json} and {@code
 * adapter_model.safetensors}.
 */
public final class PeftFolder {
  private static final String CONFIG = "adapter_config.json";
  private static final String WEIGHTS = "adapter_model.safetensors";

  /** Begins the names of all tensors in an adapter's file. */
  public static final String PREFIX = "base_model.model.";

  private static final String A = ".lora_A.weight";
  private static final String B = ".lora_B.weight";

  private PeftFolder() {}

  /**
   * Writes an adapter, its matrices as float32.
   *
   * @param base what {@code base_model_name_or_path} says, null to leave it open
   * @param overwrite whether an existing folder is replaced
   */
  public static void write(
      Adapter adapter, Path directory, @Nullable String base, boolean overwrite) {
    AtomicFolder.write(directory, overwrite, folder -> writeInto(adapter, folder, base));
  }

  /** Writes the two files into an existing folder. */
  public static void writeInto(Adapter adapter, Path folder, @Nullable String base) {
    Json.write(config(adapter, base), folder.resolve(CONFIG));
    try (SafetensorsWriter writer = SafetensorsWriter.create(folder.resolve(WEIGHTS))) {
      List<Parameter> parameters = adapter.parameters();
      for (Parameter p : parameters) {
        writer.declare(PREFIX + p.name(), "F32", p.value().shape());
      }
      for (Parameter p : parameters) {
        writer.write(PREFIX + p.name(), p.value());
      }
      writer.commit();
    }
  }

  private static Map<String, @Nullable Object> config(Adapter adapter, @Nullable String base) {
    LoraConfig c = adapter.config();
    TreeSet<String> targets = new TreeSet<>();
    for (String module : adapter.modules()) {
      targets.add(module.substring(module.lastIndexOf('.') + 1));
    }
    // A target that was not adapted in every block is named in full, so that readers agree.
    long blocks = adapter.modules().stream().map(m -> m.split("\\.")[2]).distinct().count();
    boolean everywhere =
        adapter.modules().size() == blocks * targets.size()
            && c.targets().stream().noneMatch(t -> t.startsWith("model."));
    Map<String, @Nullable Object> map = new LinkedHashMap<>();
    map.put("alpha_pattern", Map.of());
    map.put("base_model_name_or_path", base);
    map.put("bias", "none");
    map.put("fan_in_fan_out", false);
    map.put("inference_mode", true);
    map.put("init_lora_weights", true);
    map.put(
        "lora_alpha", c.alpha() == Math.rint(c.alpha()) ? (Object) (long) c.alpha() : c.alpha());
    map.put("lora_dropout", c.dropout());
    map.put("modules_to_save", null);
    map.put("peft_type", "LORA");
    map.put("r", c.rank());
    map.put("rank_pattern", Map.of());
    map.put("target_modules", everywhere ? List.copyOf(targets) : adapter.modules());
    map.put("task_type", "CAUSAL_LM");
    map.put("use_dora", false);
    map.put("use_rslora", false);
    return map;
  }

  /**
   * Reads an adapter.
   *
   * @throws InvalidInputException naming the file or tensor that is missing or wrong
   */
  static Adapter read(Path directory, Device device, String name) {
    Path configFile = directory.resolve(CONFIG);
    Path weights = directory.resolve(WEIGHTS);
    if (!Files.isDirectory(directory)) {
      throw new InvalidInputException(directory.toString(), "no such adapter folder");
    }
    // What a training run has left: its adapter is in a folder of its own.
    Path inner = directory.resolve("adapter");
    if (!Files.exists(configFile) && Files.exists(inner.resolve(CONFIG))) {
      throw new InvalidInputException(
          directory.toString(), "this folder has its adapter in " + inner + "; give that one");
    }
    LoraConfig config = config(Json.read(configFile), configFile.toString());
    if (!Files.isRegularFile(weights)) {
      throw new InvalidInputException(weights.toString(), "no such file");
    }
    Scope scope = Scope.detached();
    try (SafetensorsFile file = SafetensorsFile.open(weights)) {
      Map<String, LoraBranch> branches = new LinkedHashMap<>();
      for (String module : modules(file, weights)) {
        branches.put(module, branch(file, device, scope, module, config));
      }
      return new Adapter(name, config, scope, branches);
    } catch (RuntimeException | Error e) {
      scope.close();
      throw e;
    }
  }

  private static LoraConfig config(JsonNode root, String where) {
    if (!"LORA".equals(Json.string(root, "peft_type", where))) {
      throw new InvalidInputException(
          where, "peft_type is " + root.get("peft_type") + "; only LORA is supported");
    }
    for (String flag : List.of("use_dora", "fan_in_fan_out")) {
      JsonNode node = root.get(flag);
      if (node != null && node.isBoolean() && node.booleanValue()) {
        throw new InvalidInputException(where, flag + " is true, which is not supported");
      }
    }
    for (String pattern : List.of("rank_pattern", "alpha_pattern", "modules_to_save")) {
      JsonNode node = root.get(pattern);
      if (node != null && !node.isNull() && node.size() > 0) {
        throw new InvalidInputException(where, pattern + " is " + node + ", not supported");
      }
    }
    JsonNode bias = root.get("bias");
    if (bias != null && bias.isString() && !bias.stringValue().equals("none")) {
      throw new InvalidInputException(where, "bias is " + bias + "; only \"none\" is supported");
    }
    int rank = (int) Json.integer(root, "r", 1, 65_536, where);
    double alpha = Json.number(root, "lora_alpha", where);
    if (root.has("use_rslora") && root.get("use_rslora").asBoolean(false)) {
      alpha *= Math.sqrt(rank); // Rank-stabilised: scaled by alpha / sqrt(rank).
    }
    double dropout = root.has("lora_dropout") ? Json.number(root, "lora_dropout", where) : 0;
    List<String> targets = new ArrayList<>();
    JsonNode named = root.get("target_modules");
    if (named != null && named.isArray()) {
      named.forEach(n -> targets.add(n.asString("")));
    }
    // Which matrices have an adapter follows from the tensors; the list is kept for information.
    return new LoraConfig(
        rank, alpha, dropout, targets.isEmpty() ? List.of(LoraConfig.ALL_LINEAR) : targets);
  }

  /** Module paths as the file orders them. */
  private static List<String> modules(SafetensorsFile file, Path path) {
    Set<String> modules = new LinkedHashSet<>();
    for (String name : file.names()) {
      boolean a = name.endsWith(A);
      if (!name.startsWith(PREFIX + "model.layers.") || !(a || name.endsWith(B))) {
        throw new InvalidInputException(
            path.toString(),
            "tensor " + name + " is no LoRA matrix of a block; only those are supported");
      }
      String module = name.substring(PREFIX.length(), name.length() - A.length());
      if (!file.names().contains(PREFIX + module + (a ? B : A))) {
        throw new InvalidInputException(
            path.toString(), "tensor " + PREFIX + module + (a ? B : A) + " is missing");
      }
      modules.add(module);
    }
    if (modules.isEmpty()) {
      throw new InvalidInputException(path.toString(), "holds no adapter matrices");
    }
    return List.copyOf(modules);
  }

  private static LoraBranch branch(
      SafetensorsFile file, Device device, Scope scope, String module, LoraConfig config) {
    Parameter a = matrix(file, device, scope, module + A, 0, config.rank());
    Parameter b = matrix(file, device, scope, module + B, 1, config.rank());
    return new LoraBranch(a, b, config.scale(), (float) config.dropout());
  }

  private static Parameter matrix(
      SafetensorsFile file, Device device, Scope scope, String name, int rankAxis, int rank) {
    String key = PREFIX + name;
    SafetensorsFile.Entry entry = file.entry(key);
    long[] shape = entry.shape();
    if (shape.length != 2 || shape[rankAxis] != rank) {
      throw new InvalidInputException(
          key, "shape " + Arrays.toString(shape) + " does not have rank " + rank + " of " + CONFIG);
    }
    DType dtype =
        switch (entry.dtype()) {
          case "F32" -> DType.F32;
          case "BF16" -> DType.BF16;
          case "F16" -> DType.F16;
          default ->
              throw new InvalidInputException(
                  key, "stored as " + entry.dtype() + "; F32, BF16 or F16 expected");
        };
    try (Scope temporary = Scope.open()) {
      Tensor stored = Tensor.empty(device, dtype, shape);
      stored.copyFrom(file.data(key));
      Tensor value = dtype == DType.F32 ? stored : stored.to(DType.F32);
      return new Parameter(name, scope.adopt(value), false);
    }
  }
}
