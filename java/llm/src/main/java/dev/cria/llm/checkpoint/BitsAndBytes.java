package dev.cria.llm.checkpoint;

import dev.cria.llm.InvalidInputException;
import dev.cria.nn.Nf4Matrix;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * The form in which bitsandbytes stores an NF4 matrix among the tensors of a safetensors file: the
 * packed codes under the name of the weight, everything else in keys below it.
 */
final class BitsAndBytes {
  /** Ends the name of the key that holds the JSON description of a matrix. */
  static final String STATE_NF4 = ".quant_state.bitsandbytes__nf4";

  static final String ABSMAX = ".absmax";
  static final String MAP = ".quant_map";
  static final String NESTED_ABSMAX = ".nested_absmax";
  static final String NESTED_MAP = ".nested_quant_map";
  private static final String STATE_FP4 = ".quant_state.bitsandbytes__fp4";

  private BitsAndBytes() {}

  /**
   * Checks and collects the parts of matrix {@code name} [rows,columns].
   *
   * @param keys names of all tensors below that of the weight
   */
  @SuppressWarnings("NullAway") // does not see "float @Nullable []" of another module's class files
  static Nf4Matrix.Parts parts(
      HfFolder folder, String name, Set<String> keys, long rows, long columns) {
    checkKeys(name, keys);
    String stateKey = name + STATE_NF4;
    JsonNode state = Json.parse(folder.data(stateKey).toArray(ValueLayout.JAVA_BYTE), stateKey);
    String type = Json.string(state, "quant_type", stateKey);
    if (!type.equals("nf4")) {
      throw new InvalidInputException(stateKey, "quant_type is \"" + type + "\", nf4 expected");
    }
    int blockSize = (int) Json.integer(state, "blocksize", 32, 4096, stateKey);
    if (Integer.bitCount(blockSize) != 1) {
      throw new InvalidInputException(
          stateKey, "blocksize is " + blockSize + ", a power of two expected");
    }
    checkShape(state, stateKey, rows, columns);
    long weights = rows * columns;
    long blocks = ceilDiv(weights, blockSize);
    // The codes may be stored under any element type (bnb_4bit_quant_storage): only bytes count.
    MemorySegment codes = bytes(folder, name, ceilDiv(weights, 2), weights + " weights");
    float[] map = floats(folder, name + MAP, 16, "the 16 values of NF4");
    boolean nested = keys.contains(name + NESTED_ABSMAX);
    if (!nested) {
      float[] absmax = floats(folder, name + ABSMAX, blocks, blocks + " blocks of " + blockSize);
      return new Nf4Matrix.Parts(
          rows, columns, blockSize, codes, map, absmax, null, 0, null, null, 0);
    }
    int nestedBlockSize = (int) Json.integer(state, "nested_blocksize", 1, 1 << 20, stateKey);
    MemorySegment absmaxCodes =
        bytes(folder, name + ABSMAX, blocks, blocks + " blocks of " + blockSize);
    long groups = ceilDiv(blocks, nestedBlockSize);
    return new Nf4Matrix.Parts(
        rows,
        columns,
        blockSize,
        codes,
        map,
        null,
        absmaxCodes,
        nestedBlockSize,
        floats(folder, name + NESTED_ABSMAX, groups, groups + " groups of " + nestedBlockSize),
        floats(folder, name + NESTED_MAP, 256, "the 256 values of the scale codes"),
        (float) Json.number(state, "nested_offset", stateKey));
  }

  private static void checkKeys(String name, Set<String> keys) {
    if (keys.contains(name + STATE_FP4)) {
      throw new InvalidInputException(
          name, "stored as FP4 (bitsandbytes__fp4); only NF4 is supported");
    }
    List<String> required = List.of(ABSMAX, MAP, STATE_NF4);
    for (String key : required) {
      if (!keys.contains(name + key)) {
        throw new InvalidInputException(
            name, "quantised, but the key " + name + key + " is missing");
      }
    }
    boolean absmax = keys.contains(name + NESTED_ABSMAX);
    if (absmax != keys.contains(name + NESTED_MAP)) {
      throw new InvalidInputException(
          name,
          "quantised twice, but the key "
              + name
              + (absmax ? NESTED_MAP : NESTED_ABSMAX)
              + " is missing");
    }
    Set<String> known =
        Set.of(
            name + ABSMAX, name + MAP, name + STATE_NF4, name + NESTED_ABSMAX, name + NESTED_MAP);
    for (String key : keys) {
      if (!known.contains(key)) {
        throw new InvalidInputException(
            key,
            "unknown part of a quantised matrix; known are "
                + String.join(", ", known.stream().sorted().toList()));
      }
    }
  }

  private static void checkShape(JsonNode state, String where, long rows, long columns) {
    JsonNode shape = state.get("shape");
    boolean right =
        shape != null
            && shape.isArray()
            && shape.size() == 2
            && shape.get(0).isIntegralNumber()
            && shape.get(1).isIntegralNumber()
            && shape.get(0).longValue() == rows
            && shape.get(1).longValue() == columns;
    if (!right) {
      throw new InvalidInputException(
          where,
          "shape is "
              + (shape == null ? "absent" : shape.toString())
              + ", but config.json needs "
              + Arrays.toString(new long[] {rows, columns}));
    }
  }

  private static MemorySegment bytes(HfFolder folder, String key, long expected, String why) {
    MemorySegment data = folder.data(key);
    if (data.byteSize() != expected) {
      throw new InvalidInputException(
          key, "has " + data.byteSize() + " bytes, " + expected + " expected for " + why);
    }
    return data;
  }

  private static float[] floats(HfFolder folder, String key, long expected, String why) {
    String dtype = folder.dtype(key);
    MemorySegment data = folder.data(key);
    if (!dtype.equals("F32") || data.byteSize() != 4 * expected) {
      throw new InvalidInputException(
          key,
          "has "
              + data.byteSize()
              + " bytes of "
              + dtype
              + ", "
              + expected
              + " values of F32 expected for "
              + why);
    }
    return FloatBytes.read(data);
  }

  /**
   * The JSON description of a matrix, fields and spacing as bitsandbytes writes them.
   *
   * @param dtype original type of the weights, {@code bfloat16} or {@code float32}
   */
  static byte[] state(Nf4Matrix.Parts parts, String dtype) {
    StringBuilder json = new StringBuilder();
    json.append("{\"quant_type\": \"nf4\", \"blocksize\": ").append(parts.blockSize());
    json.append(", \"dtype\": \"").append(dtype);
    json.append("\", \"shape\": [").append(parts.rows()).append(", ");
    json.append(parts.columns()).append(']');
    if (parts.absmaxCodes() != null) {
      json.append(", \"nested_blocksize\": ").append(parts.nestedBlockSize());
      json.append(", \"nested_dtype\": \"float32\", \"nested_offset\": ");
      json.append(PythonNumbers.repr((double) parts.nestedOffset()));
    }
    return json.append('}').toString().getBytes(StandardCharsets.UTF_8);
  }

  /** The {@code quantization_config} of a folder whose matrices are stored so. */
  static Map<String, Object> config(boolean doubleQuant, String computeType) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("_load_in_4bit", true);
    map.put("_load_in_8bit", false);
    map.put("bnb_4bit_compute_dtype", computeType);
    map.put("bnb_4bit_quant_storage", "uint8");
    map.put("bnb_4bit_quant_type", "nf4");
    map.put("bnb_4bit_use_double_quant", doubleQuant);
    map.put("llm_int8_enable_fp32_cpu_offload", false);
    map.put("llm_int8_has_fp16_weight", false);
    map.put("llm_int8_skip_modules", List.of("lm_head"));
    map.put("llm_int8_threshold", 6.0);
    map.put("load_in_4bit", true);
    map.put("load_in_8bit", false);
    map.put("quant_method", "bitsandbytes");
    return map;
  }

  private static long ceilDiv(long a, long b) {
    return (a + b - 1) / b;
  }
}
