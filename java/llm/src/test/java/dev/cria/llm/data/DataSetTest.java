package dev.cria.llm.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.cria.llm.InvalidInputException;
import dev.cria.llm.TestData;
import dev.cria.llm.chat.Message;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every published form of record, the real sets, and files with something wrong in them. */
class DataSetTest {
  @TempDir Path folder;

  private Path file(String name, String content) throws IOException {
    return Files.writeString(folder.resolve(name), content);
  }

  private Example one(String json) throws IOException {
    DataSet set = DataSet.load(file("one.jsonl", json));
    assertThat(set.examples()).hasSize(1);
    return set.examples().getFirst();
  }

  /** Counts are those of the sets' own descriptions. */
  @ParameterizedTest
  @CsvSource({
    "bbh-a/boolean_expressions.json, InstructionExample, 250",
    "bbh-a/navigate.json, InstructionExample, 250",
    "commonsense-a/arc-easy.json, InstructionExample, 2376",
    "commonsense-a/boolq.json, InstructionExample, 3270",
    "commonsense-a/openbookqa.json, InstructionExample, 500",
    "commonsense-a/piqa.json, InstructionExample, 1838",
    "documents-inaugural/1865-Lincoln.txt, TextExample, 1",
    "gsm8k-test/test.jsonl, InstructionExample, 1319",
    "hellaswag-1000/hellaswag_val_1000.jsonl, ChoiceExample, 1000",
    "hh-rlhf-harmless-test/harmless-base-test.jsonl.gz, PairExample, 2303",
    "humaneval/HumanEval.jsonl.gz, PromptCompletion, 164",
    "llamafactory-demo/alpaca_en_demo.json, InstructionExample, 999",
    "llamafactory-demo/identity.json, InstructionExample, 91",
    "llamafactory-demo/dpo_en_demo.json, PairExample, 300",
    "llamafactory-demo/kto_en_demo.json, ChatExample, 150",
    "llamafactory-demo/v1_dpo_demo.jsonl, PairExample, 10",
    "llamafactory-demo/v1_sft_demo.jsonl, ChatExample, 500",
    "llamafactory-demo/c4_demo.jsonl, TextExample, 300",
    "llamafactory-demo/wiki_demo.txt, TextExample, 1",
    "mimir-nih/nih_exporter_nonmember.jsonl.gz, TextExample, 1000",
    "portuguese-text/quincas_borba.txt, TextExample, 1",
    "pubmedqa/ori_pqal.json, InstructionExample, 1000",
    "self-instruct-seeds/seed_tasks.jsonl, InstructionExample, 175",
    "self-instruct-seeds/user_oriented_instructions.jsonl, InstructionExample, 252",
    "tinyshakespeare/input.txt, TextExample, 1",
    "tinystories-sample/tinystories_train_head.txt, TextExample, 1",
    "torchtune-tiny/alpaca_tiny.json, InstructionExample, 100",
    "torchtune-tiny/chat_tiny.json, ChatExample, 1",
    "torchtune-tiny/hh_rlhf_tiny.json, PairExample, 1",
    "torchtune-tiny/instruct_tiny.json, InstructionExample, 2",
    "torchtune-tiny/stack_exchange_paired_tiny.json, PairExample, 25",
    "truthfulqa/mc_task.json, ChoiceExample, 817",
    "wikitext-2-valid/wiki.valid.txt, TextExample, 1",
  })
  void realSetLoads(String name, String kind, int count) throws IOException {
    DataSet set = DataSet.load(TestData.path(name));
    assertThat(set.examples())
        .allSatisfy(e -> assertThat(e.getClass().getSimpleName()).isEqualTo(kind));
    assertThat(set.examples()).hasSize(count);
  }

  @Test
  void helpfulPairsLeaveOutWhatCannotBeUsed() throws IOException {
    DataSet set = DataSet.load(TestData.path("hh-rlhf-harmless-test/harmless-base-test.jsonl.gz"));
    assertThat(set.dropped())
        .isEqualTo(Map.of("the dialogues differ before the last turn", 5, "an answer is empty", 4));
    Example.PairExample first = (Example.PairExample) set.examples().getFirst();
    assertThat(first.prompt().getFirst())
        .isEqualTo(Message.user("what are some pranks with a pen i can do?"));
    assertThat(first.prompt().getLast().role()).isEqualTo(Message.USER);
    assertThat(first.plain()).isFalse();
    assertThat(first.origin()).endsWith("harmless-base-test.jsonl.gz:1");
  }

  @Test
  void latin1TextIsRefusedWithItsLine() {
    assertThatThrownBy(() -> DataSet.load(TestData.path("documents-inaugural/2005-Bush.txt")))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("2005-Bush.txt:")
        .hasMessageContaining("not UTF-8");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "mt-bench/mt_bench_question.jsonl",
        "mt-bench/judge_prompts.jsonl",
        "truthfulqa/TruthfulQA.csv",
        "pubmedqa/test_ground_truth.json"
      })
  void setsWithoutAnswersAreRefused(String name) {
    assertThatThrownBy(() -> DataSet.load(TestData.path(name)))
        .isInstanceOf(InvalidInputException.class);
  }

  @Test
  void questionsThatCannotBeAskedAreCountedOut() throws IOException {
    DataSet set = DataSet.load(TestData.path("enem-2022/2022.json"));
    assertThat(set.examples()).hasSize(150);
    assertThat(set.dropped())
        .isEqualTo(Map.of("it refers to an image", 26, "no options are given", 3));
    Example.ChoiceExample first = (Example.ChoiceExample) set.examples().getFirst();
    assertThat(first.context()).startsWith("Los niños").endsWith("uma crítica ao(à)\nAnswer:");
    assertThat(first.endings()).hasSize(5);
  }

  @Test
  void everyFormIsRecognised() throws IOException {
    assertThat(one("{\"text\": \"a\"}"))
        .isInstanceOfSatisfying(
            Example.TextExample.class, e -> assertThat(e.text()).isEqualTo("a"));
    assertThat(one("{\"prompt\": \"a\", \"completion\": \"b\"}"))
        .isInstanceOfSatisfying(
            Example.PromptCompletion.class, e -> assertThat(e.completion()).isEqualTo("b"));
    assertThat(one("{\"instruction\": \"a\", \"input\": \"i\", \"output\": \"b\"}"))
        .isInstanceOfSatisfying(
            Example.InstructionExample.class, e -> assertThat(e.input()).isEqualTo("i"));
    assertThat(
            one(
                "{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"value\": \"x\"}, {\"type\": \"text\", \"text\": \"y\"}], \"loss_weight\": 0},"
                    + "{\"role\": \"assistant\", \"content\": \"z\", \"loss_weight\": 0.5}]}"))
        .isInstanceOfSatisfying(
            Example.ChatExample.class,
            e -> {
              assertThat(e.messages()).containsExactly(Message.user("xy"), Message.assistant("z"));
              assertThat(e.weights()).containsExactly(0f, 0.5f);
            });
    assertThat(
            one(
                "{\"conversations\": [{\"from\": \"human\", \"value\": \"x\"}, {\"from\": \"gpt\", \"value\": \"y\"}]}"))
        .isInstanceOfSatisfying(
            Example.ChatExample.class, e -> assertThat(e.weights()).containsExactly(0f, 1f));
    assertThat(
            one(
                "{\"prompt\": [{\"role\": \"user\", \"content\": \"x\"}], \"completion\": [{\"role\": \"assistant\", \"content\": \"y\"}]}"))
        .isInstanceOf(Example.ChatExample.class);
    assertThat(one("{\"ctx\": \"c\", \"endings\": [\"a\", \"b\"], \"label\": \"1\"}"))
        .isInstanceOfSatisfying(
            Example.ChoiceExample.class, e -> assertThat(e.label()).isEqualTo(1));
    assertThat(
            one(
                "{\"question\": \"q\", \"choices\": {\"text\": [\"a\", \"b\"], \"label\": [\"A\", \"B\"]}, \"answerKey\": \"B\"}"))
        .isInstanceOfSatisfying(
            Example.ChoiceExample.class, e -> assertThat(e.label()).isEqualTo(1));
    assertThat(one("{\"question\": \"q\", \"choices\": [\"a\", \"b\"], \"answer\": 0}"))
        .isInstanceOfSatisfying(
            Example.ChoiceExample.class,
            e -> assertThat(e.context()).isEqualTo("Question: q\nAnswer:"));
  }

  @Test
  void everyFormOfPairIsRecognised() throws IOException {
    List<Message> prompt = List.of(Message.user("p"));
    String user = "{\"role\": \"user\", \"content\": \"p\"}";
    String good = "{\"role\": \"assistant\", \"content\": \"g\"}";
    String bad = "{\"role\": \"assistant\", \"content\": \"b\"}";
    for (String json :
        List.of(
            "{\"prompt\": [%s], \"chosen\": [%s], \"rejected\": [%s]}".formatted(user, good, bad),
            "{\"chosen\": [%1$s, %2$s], \"rejected\": [%1$s, %3$s]}".formatted(user, good, bad),
            "{\"prompt\": \"p\", \"chosen\": [%1$s, %2$s], \"rejected\": [%1$s, %3$s]}"
                .formatted(user, good, bad),
            "{\"chosen_messages\": [%1$s, %2$s], \"rejected_messages\": [%1$s, %3$s]}"
                .formatted(user, good, bad),
            "{\"conversations\": [{\"from\": \"human\", \"value\": \"p\"}], \"chosen\": {\"from\": \"gpt\", \"value\": \"g\"}, \"rejected\": {\"from\": \"gpt\", \"value\": \"b\"}}",
            "{\"chosen\": \"\\n\\nHuman: p\\n\\nAssistant: g\", \"rejected\": \"\\n\\nHuman: p\\n\\nAssistant: b\"}",
            "{\"question\": \"p\", \"response_j\": \"g\", \"response_k\": \"b\"}")) {
      assertThat(one(json))
          .as(json)
          .isInstanceOfSatisfying(
              Example.PairExample.class,
              e -> {
                assertThat(e.prompt()).isEqualTo(prompt);
                assertThat(e.chosen()).isEqualTo("g");
                assertThat(e.rejected()).isEqualTo("b");
                assertThat(e.plain()).isFalse();
              });
    }
    assertThat(one("{\"prompt\": \"p\", \"chosen\": \"g\", \"rejected\": \"b\"}"))
        .isInstanceOfSatisfying(Example.PairExample.class, e -> assertThat(e.plain()).isTrue());
  }

  @Test
  void arrayLinesAndGzipGiveTheSameRecords() throws IOException {
    String a = "{\"text\": \"one\"}";
    String b = "{\"text\": \"zwei ü\"}";
    DataSet lines = DataSet.load(file("d.jsonl", "\n" + a + "\n\n" + b + "\n"));
    DataSet array = DataSet.load(file("d.json", "\uFEFF [\n" + a + ",\n" + b + "\n]\n"));
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (GZIPOutputStream zip = new GZIPOutputStream(bytes)) {
      zip.write((a + "\n" + b).getBytes(StandardCharsets.UTF_8));
    }
    // The name does not matter: gzip is told by its first bytes.
    DataSet zipped = DataSet.load(Files.write(folder.resolve("d.data"), bytes.toByteArray()));
    for (DataSet set : List.of(lines, array, zipped)) {
      assertThat(set.examples().stream().map(e -> ((Example.TextExample) e).text()))
          .containsExactly("one", "zwei ü");
    }
    assertThat(lines.examples().stream().map(e -> e.origin().replaceAll(".*:", "")))
        .containsExactly("2", "4");
    assertThat(array.examples().stream().map(e -> e.origin().replaceAll(".*:", "")))
        .containsExactly("2", "3");
    assertThatThrownBy(
            () ->
                DataSet.load(
                    Files.write(folder.resolve("cut.gz"), Arrays.copyOf(bytes.toByteArray(), 25))))
        .isInstanceOf(InvalidInputException.class)
        .hasMessageContaining("damaged gzip");
  }

  private void refused(String name, String content, String... parts) throws IOException {
    Path path = file(name, content);
    var thrown =
        assertThatThrownBy(() -> DataSet.load(path))
            .as(content)
            .isInstanceOf(InvalidInputException.class);
    for (String part : parts) {
      thrown.hasMessageContaining(part);
    }
  }

  @Test
  void mistakesAreNamedWithTheirLine() throws IOException {
    String ok = "{\"text\": \"a\"}\n";
    refused("x.jsonl", ok + ok + "{\"text\": \"a\"\n" + ok, "x.jsonl:3: ", "not valid JSON");
    refused("x.jsonl", ok + "\n{\"text\": \"a\"} trailing\n", "x.jsonl:3: ", "not valid JSON");
    refused("x.jsonl", ok + "[1]\n", "x.jsonl:2: ", "not a JSON object");
    refused("x.jsonl", ok + "{\"text\": 3}\n", "x.jsonl:2: ", "\"text\" is not a string");
    refused(
        "x.jsonl", ok + "{\"foo\": 3, \"bar\": 1}\n", "x.jsonl:2: ", "foo, bar", "no known kind");
    refused("x.json", "[\n{\"text\": \"a\"},\n{\"text\": \n]", "x.json:4: ", "not valid JSON");
    refused("x.json", "[\n{\"text\": \"a\"},\n7]", "x.json:3: ", "not an object");
    refused("x.json", "[{\"text\": \"a\"}]\n\nmore", "x.json:3: ");
    refused("x.json", "{\n\"text\": \"a\",\n", "x.json:", "not valid JSON");
    refused("x.jsonl", "", "no records");
    refused("x.json", "[]", "no records");
    refused("x.txt", " \n ", "no records");
    refused("x.jsonl", "hello", "x.jsonl:1: ", "neither JSON");
    refused("x.jsonl", "{\"messages\": []}", "not a list of messages");
    refused(
        "x.jsonl",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}",
        "no assistant turn");
    refused(
        "x.jsonl",
        "{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image\"}]}]}",
        "part that is not text");
    refused("x.jsonl", "{\"messages\": [{\"role\": \"user\"}]}", "neither role and content");
    refused("x.jsonl", "{\"chosen\": \"a\", \"rejected\": \"b\"}", "pair without a prompt");
    refused(
        "x.jsonl", "{\"ctx\": \"c\", \"endings\": [\"a\", \"b\"], \"label\": 2}", "option 2 of 2");
    refused(
        "x.jsonl",
        "{\"prompt\": \"p\", \"chosen\": \"\", \"rejected\": \"b\"}",
        "no records",
        "an answer is empty=1");
    assertThatThrownBy(() -> DataSet.load(folder.resolve("missing.json")))
        .hasMessageContaining("no such data file");
  }
}
