package dev.cria.llm;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** Reads and writes {@link LlamaConfig} as the {@code config.json} of a Hugging Face folder. */
public final class LlamaConfigJson {
  private static final JsonMapper MAPPER =
      JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();
  private static final int MAX_BYTES = 1 << 20;

  private LlamaConfigJson() {}

  /**
   * Reads a {@code config.json}; refuses what is not a LLaMA model or has parts that Cria does not
   * compute.
   */
  public static LlamaConfig read(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new InvalidInputException(
          file.toString(), "no such file; a Hugging Face model folder has a config.json");
    }
    if (Files.size(file) > MAX_BYTES) {
      throw new InvalidInputException(
          file.toString(), "larger than 1 MiB; this is not a config.json");
    }
    JsonNode root;
    try {
      root = MAPPER.readTree(Files.readAllBytes(file));
    } catch (JacksonException e) {
      throw new InvalidInputException(
          file.toString(), "not valid JSON: " + e.getOriginalMessage(), e);
    }
    return parse(root, file.toString());
  }

  /** The same for a parsed tree; {@code where} names its origin in errors. */
  public static LlamaConfig parse(JsonNode root, String where) {
    if (!root.isObject()) {
      throw new InvalidInputException(where, "not a JSON object");
    }
    refuseUnsupported(root, where);
    int hidden = integer(root, "hidden_size", where);
    int heads = integer(root, "num_attention_heads", where);
    int headDim = integerOr(root, "head_dim", -1, where);
    if (headDim < 0) {
      if (heads < 1 || hidden % heads != 0) {
        throw new InvalidInputException(
            where,
            "hidden_size "
                + hidden
                + " is not a multiple of num_attention_heads "
                + heads
                + " and head_dim is absent");
      }
      headDim = hidden / heads;
    }
    // Newer files keep everything about positions in rope_parameters, older ones in rope_theta and
    // rope_scaling.
    JsonNode rope = present(root.get("rope_parameters"));
    JsonNode scaling = rope != null ? rope : present(root.get("rope_scaling"));
    JsonNode thetaHolder = rope != null && rope.has("rope_theta") ? rope : root;
    return new LlamaConfig(
        hidden,
        integer(root, "intermediate_size", where),
        integer(root, "num_hidden_layers", where),
        heads,
        integerOr(root, "num_key_value_heads", heads, where),
        headDim,
        integer(root, "vocab_size", where),
        integerOr(root, "max_position_embeddings", 2048, where),
        numberOr(root, "rms_norm_eps", 1e-6, where),
        numberOr(thetaHolder, "rope_theta", 10_000, where),
        flag(root, "tie_word_embeddings", where),
        optionalId(root, "bos_token_id", where),
        ids(root.get("eos_token_id"), where),
        optionalId(root, "pad_token_id", where),
        scaling == null ? Optional.empty() : scaling(scaling, where),
        numberOr(root, "initializer_range", 0.02, where));
  }

  /**
   * Writes {@code config.json}; {@code torchDtype} is {@code float32} or {@code bfloat16}, {@code
   * extra} is added as it is.
   */
  public static void write(LlamaConfig config, String torchDtype, Map<String, ?> extra, Path file)
      throws IOException {
    Files.write(file, MAPPER.writeValueAsBytes(toMap(config, torchDtype, extra)));
  }

  /** The fields of {@code config.json} in order. */
  public static Map<String, Object> toMap(LlamaConfig c, String torchDtype, Map<String, ?> extra) {
    Map<String, @Nullable Object> map = new LinkedHashMap<>();
    map.put("architectures", List.of("LlamaForCausalLM"));
    map.put("model_type", "llama");
    map.put("hidden_size", c.hidden());
    map.put("intermediate_size", c.intermediate());
    map.put("num_hidden_layers", c.layers());
    map.put("num_attention_heads", c.heads());
    map.put("num_key_value_heads", c.kvHeads());
    map.put("head_dim", c.headDim());
    map.put("vocab_size", c.vocab());
    map.put("max_position_embeddings", c.context());
    map.put("hidden_act", "silu");
    map.put("rms_norm_eps", c.rmsEps());
    map.put("rope_theta", c.ropeTheta());
    c.ropeScaling().ifPresent(s -> map.put("rope_scaling", scalingMap(s)));
    map.put("attention_bias", false);
    map.put("mlp_bias", false);
    map.put("tie_word_embeddings", c.tied());
    // Absent ids are written as null: without that, readers fill in the ids of the original LLaMA.
    map.put("bos_token_id", c.bosId().isPresent() ? c.bosId().getAsInt() : null);
    map.put(
        "eos_token_id",
        c.eosIds().isEmpty() ? null : c.eosIds().size() == 1 ? c.eosIds().getFirst() : c.eosIds());
    map.put("pad_token_id", c.padId().isPresent() ? c.padId().getAsInt() : null);
    map.put("initializer_range", c.initializerRange());
    map.put("torch_dtype", torchDtype);
    map.put("use_cache", true);
    map.putAll(extra);
    @SuppressWarnings({"unchecked", "NullAway"})
    Map<String, Object> result = (Map<String, Object>) (Map<String, ?>) map;
    return result;
  }

  private static Map<String, Object> scalingMap(RopeScaling scaling) {
    Map<String, Object> map = new LinkedHashMap<>();
    switch (scaling) {
      case RopeScaling.Linear linear -> {
        map.put("rope_type", "linear");
        map.put("factor", linear.factor());
      }
      case RopeScaling.Llama3 llama3 -> {
        map.put("rope_type", "llama3");
        map.put("factor", llama3.factor());
        map.put("low_freq_factor", llama3.lowFrequencyFactor());
        map.put("high_freq_factor", llama3.highFrequencyFactor());
        map.put("original_max_position_embeddings", llama3.originalContext());
      }
    }
    return map;
  }

  private static void refuseUnsupported(JsonNode root, String where) {
    JsonNode type = present(root.get("model_type"));
    if (type == null || !type.isString() || !type.stringValue().equals("llama")) {
      throw new InvalidInputException(
          where,
          "model_type is "
              + (type == null ? "absent" : type)
              + "; only \"llama\" models are supported");
    }
    for (String bias : List.of("attention_bias", "mlp_bias")) {
      if (flag(root, bias, where)) {
        throw new InvalidInputException(
            where, bias + " is true; linear layers with bias are not supported");
      }
    }
    JsonNode activation = present(root.get("hidden_act"));
    if (activation != null && !(activation.isString() && activation.stringValue().equals("silu"))) {
      throw new InvalidInputException(
          where, "hidden_act is " + activation + "; only \"silu\" is supported");
    }
    double rotary = numberOr(root, "partial_rotary_factor", 1, where);
    if (rotary != 1) {
      throw new InvalidInputException(
          where, "partial_rotary_factor is " + rotary + "; only 1 is supported");
    }
  }

  private static Optional<RopeScaling> scaling(JsonNode node, String where) {
    if (!node.isObject()) {
      throw new InvalidInputException(where, "rope_scaling is not an object");
    }
    JsonNode named = present(node.get("rope_type"));
    JsonNode type = named != null ? named : present(node.get("type"));
    String kind = type == null ? "default" : type.isString() ? type.stringValue() : type.toString();
    return switch (kind) {
      case "default" -> Optional.empty();
      case "linear" -> Optional.of(new RopeScaling.Linear(number(node, "factor", where)));
      case "llama3" ->
          Optional.of(
              new RopeScaling.Llama3(
                  number(node, "factor", where),
                  number(node, "low_freq_factor", where),
                  number(node, "high_freq_factor", where),
                  integer(node, "original_max_position_embeddings", where)));
      default ->
          throw new InvalidInputException(
              where,
              "rope scaling of type \"" + kind + "\" is not supported; linear and llama3 are");
    };
  }

  private static List<Integer> ids(@Nullable JsonNode node, String where) {
    JsonNode given = present(node);
    if (given == null) {
      return List.of();
    }
    List<Integer> ids = new ArrayList<>();
    for (JsonNode one : given.isArray() ? given : List.of(given)) {
      if (!one.isIntegralNumber() || !one.canConvertToInt()) {
        throw new InvalidInputException(
            where, "eos_token_id is " + given + ", an id or a list of ids expected");
      }
      ids.add(one.intValue());
    }
    return ids;
  }

  private static OptionalInt optionalId(JsonNode root, String name, String where) {
    JsonNode node = present(root.get(name));
    // -1 is how some writers say "none".
    if (node == null
        || (node.isIntegralNumber() && node.canConvertToInt() && node.intValue() == -1)) {
      return OptionalInt.empty();
    }
    return OptionalInt.of(integer(root, name, where));
  }

  private static int integer(JsonNode root, String name, String where) {
    JsonNode node = present(root.get(name));
    if (node == null) {
      throw new InvalidInputException(where, name + " is absent");
    }
    if (!node.isNumber() || !node.canConvertToInt() || node.doubleValue() != node.intValue()) {
      throw new InvalidInputException(where, name + " is " + node + ", a whole number expected");
    }
    return node.intValue();
  }

  private static int integerOr(JsonNode root, String name, int fallback, String where) {
    return present(root.get(name)) == null ? fallback : integer(root, name, where);
  }

  private static double number(JsonNode root, String name, String where) {
    JsonNode node = present(root.get(name));
    if (node == null) {
      throw new InvalidInputException(where, name + " is absent");
    }
    if (!node.isNumber()) {
      throw new InvalidInputException(where, name + " is " + node + ", a number expected");
    }
    return node.doubleValue();
  }

  private static double numberOr(JsonNode root, String name, double fallback, String where) {
    return present(root.get(name)) == null ? fallback : number(root, name, where);
  }

  private static boolean flag(JsonNode root, String name, String where) {
    JsonNode node = present(root.get(name));
    if (node != null && !node.isBoolean()) {
      throw new InvalidInputException(where, name + " is " + node + ", true or false expected");
    }
    return node != null && node.booleanValue();
  }

  private static @Nullable JsonNode present(@Nullable JsonNode node) {
    return node == null || node.isNull() ? null : node;
  }
}
