package dev.cria.llm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** What config.json says, old and new spellings, and what is refused. */
class LlamaConfigJsonTest {
  /** OpenLLaMA-3B. */
  private static final String OPEN_LLAMA =
      """
      {"model_type": "llama", "hidden_size": 3200, "intermediate_size": 8640, "num_hidden_layers": 26,
       "num_attention_heads": 32, "vocab_size": 32000, "max_position_embeddings": 2048, "rms_norm_eps": 1e-6,
       "hidden_act": "silu", "initializer_range": 0.02, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
       "tie_word_embeddings": false, "torch_dtype": "float16", "use_cache": true, "anything_else": [1]}
      """;

  @TempDir Path folder;

  private static ObjectNode base() {
    return (ObjectNode) JsonMapper.shared().readTree(OPEN_LLAMA);
  }

  private static LlamaConfig parse(JsonNode node) {
    return LlamaConfigJson.parse(node, "c.json");
  }

  @Test
  void openLlamaHasItsPublishedSize() {
    LlamaConfig config = parse(base());
    assertThat(config.headDim()).isEqualTo(100);
    assertThat(config.kvHeads()).isEqualTo(32);
    assertThat(config.parameters()).isEqualTo(3_426_473_600L);
    assertThat(config.ropeTheta()).isEqualTo(10_000);
    long total = 0;
    for (long[] shape : config.tensorShapes().values()) {
      total += shape.length == 1 ? shape[0] : shape[0] * shape[1];
    }
    assertThat(total).isEqualTo(config.parameters());
  }

  @Test
  void whatIsWrittenReadsBackTheSame() throws IOException {
    ObjectNode node = base();
    node.putArray("eos_token_id").add(2).add(7);
    node.putNull("bos_token_id");
    node.put("head_dim", 64)
        .put("num_key_value_heads", 8)
        .put("tie_word_embeddings", true)
        .put("rope_theta", 500000.0);
    node.putObject("rope_scaling")
        .put("rope_type", "llama3")
        .put("factor", 8.0)
        .put("low_freq_factor", 1.0)
        .put("high_freq_factor", 4.0)
        .put("original_max_position_embeddings", 8192);
    LlamaConfig config = parse(node);
    assertThat(config.eosIds()).containsExactly(2, 7);
    assertThat(config.eosId()).hasValue(2);
    assertThat(config.bosId()).isEmpty();
    Path file = folder.resolve("config.json");
    LlamaConfigJson.write(config, "float32", Map.of("extra", 1), file);
    assertThat(LlamaConfigJson.read(file)).isEqualTo(config);
    JsonNode written = JsonMapper.shared().readTree(Files.readAllBytes(file));
    assertThat(written.get("extra").intValue()).isEqualTo(1);
    assertThat(written.get("bos_token_id").isNull()).isTrue();
  }

  @Test
  void newerFilesKeepPositionsInOneObject() {
    ObjectNode node = base();
    node.putObject("rope_parameters")
        .put("rope_type", "linear")
        .put("factor", 2.0)
        .put("rope_theta", 123.0);
    LlamaConfig config = parse(node);
    assertThat(config.ropeTheta()).isEqualTo(123);
    assertThat(config.ropeScaling()).contains(new RopeScaling.Linear(2));
    node.putObject("rope_parameters").put("rope_type", "default").put("rope_theta", 5.0);
    assertThat(parse(node).ropeScaling()).isEmpty();
  }

  @Test
  void llama3ScalingKeepsShortWavesAndStretchesLongOnes() {
    RopeScaling rule = new RopeScaling.Llama3(8, 1, 4, 8192);
    assertThat(rule.scale(1)).isEqualTo(1);
    assertThat(rule.scale(1e-6)).isEqualTo(1e-6 / 8);
    // Wavelength 4096 = 8192 / 2: smooth = (2 - 1) / (4 - 1), so f (2/3 / 8 + 1/3).
    double f = 2 * Math.PI / 4096;
    assertThat(rule.scale(f)).isEqualTo(f * (2.0 / 3 / 8 + 1.0 / 3), within(1e-18));
    assertThat(new RopeScaling.Linear(4).scale(2)).isEqualTo(0.5);
  }

  private static void refused(JsonNode node, String message) {
    assertThatThrownBy(() -> parse(node))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining(message);
  }

  @Test
  void whatCriaDoesNotComputeIsRefused() {
    refused(base().put("model_type", "gpt2"), "model_type is \"gpt2\"");
    refused(base().without("model_type"), "model_type is absent");
    refused(base().put("attention_bias", true), "attention_bias");
    refused(base().put("mlp_bias", true), "mlp_bias");
    refused(base().put("hidden_act", "gelu"), "hidden_act");
    refused(base().put("partial_rotary_factor", 0.5), "partial_rotary_factor");
    ObjectNode yarn = base();
    yarn.putObject("rope_scaling").put("type", "yarn").put("factor", 2);
    refused(yarn, "\"yarn\" is not supported");
  }

  @Test
  void impossibleNumbersAreNamed() {
    refused(base().without("hidden_size"), "hidden_size is absent");
    refused(base().put("hidden_size", "many"), "a whole number expected");
    refused(base().put("hidden_size", 3201), "not a multiple of num_attention_heads");
    refused(base().put("num_hidden_layers", 0), "num_hidden_layers is 0");
    refused(base().put("num_hidden_layers", 1L << 40), "num_hidden_layers");
    refused(base().put("num_key_value_heads", 5), "not a multiple of num_key_value_heads 5");
    refused(base().put("head_dim", 256), "head_dim is 256, 1 to 128");
    refused(base().put("head_dim", 33), "head_dim 33 is odd");
    refused(base().put("rms_norm_eps", 0), "rms_norm_eps");
    refused(base().put("rope_theta", -1), "rope_theta");
    refused(base().put("eos_token_id", 32000), "outside the vocabulary");
    refused(base().put("tie_word_embeddings", "yes"), "true or false expected");
    refused(JsonMapper.shared().readTree("[]"), "not a JSON object");
    assertThatThrownBy(() -> LlamaConfigJson.read(folder.resolve("config.json")))
        .hasMessageContaining("no such file");
  }

  @Test
  void brokenFileIsNamed() throws IOException {
    Path file = Files.writeString(folder.resolve("config.json"), "{\"model_type\": ");
    assertThatThrownBy(() -> LlamaConfigJson.read(file))
        .hasMessageContaining("config.json: not valid JSON");
  }
}
