package dev.cria.llm.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.llm.InvalidInputException;
import dev.cria.llm.TestData;
import dev.cria.llm.gguf.GgufFile;
import dev.cria.llm.tokenizer.GgufTokenizer;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.llm.tokenizer.TokenizerLoader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Renderings of transformers, constructs of real templates, and the cut into given text and
 * answers.
 */
class ChatTemplateTest {
  private static final List<Message> TALK =
      List.of(
          Message.user("Hi"),
          Message.assistant("Hello."),
          Message.user("2+3?"),
          Message.assistant("5"));

  @TempDir Path folder;

  private static JsonNode goldens() throws IOException {
    return JsonMapper.shared()
        .readTree(
            Files.readAllBytes(
                TestData.repository("tests/parity/golden/templates/renderings.json")));
  }

  private static void check(String name, String jinja, JsonNode goldens) {
    JsonNode tokens = goldens.get("tokens").get(name);
    ChatTemplate template =
        ChatTemplate.of(
            name,
            jinja,
            tokens.get("bos_token").stringValue(),
            tokens.get("eos_token").stringValue());
    int checked = 0;
    for (JsonNode golden : goldens.get("renderings")) {
      if (!golden.get("template").stringValue().equals(name)) {
        continue;
      }
      List<Message> messages = new ArrayList<>();
      for (JsonNode m : goldens.get("dialogues").get(golden.get("dialogue").stringValue())) {
        messages.add(new Message(m.get("role").stringValue(), m.get("content").stringValue()));
      }
      boolean prompt = golden.get("add_generation_prompt").booleanValue();
      if (golden.has("error")) {
        assertThatThrownBy(() -> template.render(messages, prompt))
            .isInstanceOf(InvalidInputException.class)
            .hasMessageContaining(golden.get("error").stringValue());
      } else {
        assertThat(template.render(messages, prompt))
            .as("%s %s", name, golden.get("dialogue"))
            .isEqualTo(golden.get("text").stringValue());
      }
      checked++;
    }
    assertThat(checked).as(name).isEqualTo(14);
  }

  @Test
  void templatesInTheStyleOfRealModelsRenderAsInTransformers() throws IOException {
    JsonNode goldens = goldens();
    for (String name : List.of("gemma", "llama-2", "llama-3", "mistral", "qwen-chatml", "zephyr")) {
      check(
          name,
          Files.readString(TestData.repository("tests/parity/golden/templates/" + name + ".jinja")),
          goldens);
    }
  }

  @Test
  void templateInsideTheModelRendersAsInTransformers() throws IOException {
    Path file = TestData.path("smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf");
    try (GgufFile gguf = GgufFile.open(file)) {
      String jinja = gguf.string("tokenizer.chat_template").orElseThrow();
      check("smollm2", jinja, goldens());
      Tokenizer tokenizer = GgufTokenizer.load(gguf);
      ChatTemplate template = ChatTemplate.of("smollm2", jinja, tokenizer);
      String text = template.render(List.of(Message.user("What is the capital of France?")), true);
      assertThat(tokenizer.encode(text, true))
          .containsExactly(
              1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018,
              411, 407, 19712, 8182, 2, 198, 1, 4093, 198, 1780, 314, 260, 3575, 282, 4649, 47, 2,
              198, 1, 520, 9531, 198);
    }
  }

  private static String one(String jinja) {
    return ChatTemplate.of("test", jinja, "<s>", "</s>").render(TALK, false);
  }

  @Test
  void methodsAndFiltersOfPythonWork() {
    assertThat(one("{{ ' a '.strip() }}|{{ 'xax'.lstrip('x') }}|{{ 'xax'.rstrip('x') }}"))
        .isEqualTo("a|ax|xa");
    assertThat(
            one(
                "{{ 'a.b.c'.split('.')[-1] }}{{ 'a b'.split()[0] }}{{ 'a.b.c'.split('.', 1)|length }}"))
        .isEqualTo("ca2");
    assertThat(
            one("{% if messages[0].content.startswith('H') and 'Hi'.endswith('i') %}y{% endif %}"))
        .isEqualTo("y");
    assertThat(
            one(
                "{{ 'ab'.upper() }}{{ 'ABc'.lower() }}{{ 'a b'.title() }}{{ 'aXa'.replace('a', 'b') }}"))
        .isEqualTo("ABabcA BbXb");
    assertThat(one("{{ messages[0] | tojson }}"))
        .isEqualTo("{\"role\": \"user\", \"content\": \"Hi\"}");
    assertThat(one("{{ {'a': [1, true]} | tojson(indent=2) }}"))
        .isEqualTo("{\n  \"a\": [\n    1,\n    true\n  ]\n}");
    assertThat(one("{% for m in messages[::-1] %}{{ m.content }} {% endfor %}"))
        .isEqualTo("5 2+3? Hello. Hi ");
    assertThat(one("{% for m in messages[1:] %}{{ loop.index }}{{ loop.last }} {% endfor %}"))
        .startsWith("1");
    assertThat(
            one("{% if tools is defined %}T{% else %}N{% endif %}{{ strftime_now('%Y')|length }}"))
        .isEqualTo("N4");
    assertThat(one("{% generation %}a{% endgeneration %}{{ 'x' if 1 in [1] else 'y' }}"))
        .isEqualTo("ax");
    assertThat(
            one(
                "{%- set n = namespace(c=0) -%} {%- for m in messages -%} {%- set n.c = n.c + 1 -%} {%- endfor -%} {{ n.c }}"))
        .isEqualTo("4");
  }

  @Test
  void whatTheEngineCannotDoIsAnError() {
    for (String jinja :
        List.of(
            "{{ unknown_function(1) }}",
            "{% unknowntag %}",
            "{% if %}",
            "{{ messages[0].content.nonsense() }}",
            "{% for m in messages if m.role == 'user' %}x{% endfor %}",
            "{{ 1 +")) {
      assertThatThrownBy(() -> one(jinja))
          .as(jinja)
          .isInstanceOf(InvalidInputException.class)
          .hasMessageContaining("test");
    }
  }

  @Test
  void textOfADialogueIsNeverATemplate() {
    ChatTemplate template = ChatTemplate.of("t", "{{ messages[0].content }}", "", "");
    String hostile = "{{ 1 + 1 }}{% for x in y %}{# gone #}\\n${a}";
    assertThat(template.render(List.of(Message.user(hostile)), false)).isEqualTo(hostile);
  }

  @Test
  void segmentsJoinToTheWholeTextAndHoldTheAnswers() {
    for (String name : NamedTemplates.names()) {
      ChatTemplate template = ChatTemplate.of(name, NamedTemplates.jinja(name), "<s>", "</s>");
      List<ChatTemplate.Segment> segments = template.segments(TALK);
      StringBuilder all = new StringBuilder();
      segments.forEach(s -> all.append(s.text()));
      assertThat(all.toString()).as(name).isEqualTo(template.render(TALK, false));
      List<ChatTemplate.Segment> answers = segments.stream().filter(s -> s.message() >= 0).toList();
      assertThat(answers).hasSize(2);
      assertThat(answers.get(0).text()).contains("Hello.").doesNotContain("2+3");
      assertThat(answers.get(1).text()).contains("5");
      assertThat(answers.get(1).message()).isEqualTo(3);
    }
  }

  @Test
  void templateThatRewritesEarlierTurnsIsRefusedForTraining() {
    ChatTemplate template =
        ChatTemplate.of(
            "odd",
            "{{ messages|length }}{% for m in messages %}{{ m.content }}{% endfor %}",
            "",
            "");
    assertThatThrownBy(() -> template.segments(TALK))
        .hasMessageContaining("cannot be told from the rest");
  }

  @Test
  void namedTemplatesHaveTheirKnownForm() {
    assertThat(
            ChatTemplate.of("chatml", NamedTemplates.jinja("chatml"), "", "")
                .render(List.of(Message.user("Hi")), true))
        .isEqualTo("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
    assertThat(
            ChatTemplate.of("vicuna", NamedTemplates.jinja("vicuna"), "<s>", "</s>")
                .render(TALK, false))
        .isEqualTo(
            "<s>A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
                + "detailed, and polite answers to the user's questions. USER: Hi ASSISTANT: Hello.</s>USER: 2+3? "
                + "ASSISTANT: 5</s>");
    List<Message> withSystem = new ArrayList<>(List.of(new Message(Message.SYSTEM, "Be kind.")));
    withSystem.addAll(TALK);
    assertThat(
            ChatTemplate.of("llama-2", NamedTemplates.jinja("llama-2"), "<s>", "</s>")
                .render(withSystem, false))
        .isEqualTo(
            "<s>[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\nHi [/INST] Hello. </s><s>[INST] 2+3? [/INST] 5 </s>");
    assertThat(
            ChatTemplate.of("zephyr", NamedTemplates.jinja("zephyr"), "", "</s>")
                .render(List.of(Message.user("Hi")), true))
        .isEqualTo("<|user|>\nHi</s>\n<|assistant|>\n");
    assertThatThrownBy(() -> NamedTemplates.jinja("nope"))
        .hasMessageContaining("alpaca, chatml, vicuna");
  }

  @Test
  void alpacaIsTheTextOfItsPublishedSet() throws IOException {
    JsonNode records =
        JsonMapper.shared()
            .readTree(Files.readAllBytes(TestData.path("torchtune-tiny/alpaca_tiny.json")));
    ChatTemplate alpaca = ChatTemplate.of("alpaca", NamedTemplates.jinja("alpaca"), "", "");
    int withInput = 0;
    for (JsonNode record : records) {
      String input = record.get("input").stringValue();
      List<Message> messages =
          new ArrayList<>(alpaca.instruction(record.get("instruction").stringValue(), input));
      messages.add(Message.assistant(record.get("output").stringValue()));
      assertThat(alpaca.render(messages, false)).isEqualTo(record.get("text").stringValue());
      withInput += input.isEmpty() ? 0 : 1;
    }
    assertThat(withInput).isBetween(1, records.size() - 1);
  }

  @Test
  void templateOfAFolderIsFound() throws IOException {
    Tokenizer tokenizer = TokenizerLoader.loadFile(TestData.path("stories260k/tok512.model"));
    assertThat(ChatTemplate.load(folder, tokenizer)).isEmpty();
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"chat_template\": \"{{ bos_token }}x{{ eos_token }}\"}");
    assertThat(ChatTemplate.load(folder, tokenizer).orElseThrow().render(TALK, true))
        .isEqualTo("<s>x</s>");
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"chat_template\": [{\"name\": \"tool\", \"template\": \"t\"}, {\"name\": \"default\", \"template\": \"d\"}]}");
    assertThat(ChatTemplate.source(folder)).contains("d");
    Files.writeString(folder.resolve("chat_template.jinja"), "j");
    assertThat(ChatTemplate.source(folder)).contains("j");
  }
}
