package dev.cria.llm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cria.Device;
import dev.cria.llm.checkpoint.ModelWriter;
import dev.cria.llm.data.DataSet;
import dev.cria.llm.generate.Generator;
import dev.cria.llm.llama2c.Llama2cCheckpoint;
import dev.cria.llm.lora.Lora;
import dev.cria.llm.lora.LoraConfig;
import dev.cria.llm.tokenizer.Tokenizer;
import dev.cria.llm.tokenizer.TokenizerFiles;
import dev.cria.llm.tokenizer.TokenizerLoader;
import dev.cria.llm.train.History;
import dev.cria.llm.train.SupervisedObjective;
import dev.cria.llm.train.Trainer;
import dev.cria.llm.train.TrainerConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** From a checkpoint of another format to a tuned adapter, in the few lines a program needs. */
class ShortProgramTest {
  @Test
  void aModelLearnsASentenceAndSaysIt(@TempDir Path folder) throws IOException {
    Path file = TestData.path("stories260k/stories260K.bin");
    Tokenizer tokenizer = TokenizerLoader.loadFile(TestData.path("stories260k/tok512.model"));
    Path base = folder.resolve("base");
    Path data = folder.resolve("data.jsonl");
    String line = "{\"prompt\": \"The llama said\", \"completion\": \" hello to the big sun.\"}\n";
    Files.writeString(data, line.repeat(8));
    try (Device device = Device.open("cpu");
        Llama2cCheckpoint stories = Llama2cCheckpoint.open(file);
        Llama imported = Llama.from(stories.config(), stories, device, Weights.F32)) {
      ModelWriter.of(imported)
          .with(f -> TokenizerFiles.write(tokenizer, f, Optional.empty(), 512))
          .write(base);
    }
    try (Device device = Device.open("cpu");
        Llama model = Llama.load(base, device, Weights.NF4)) {
      var lora = Lora.attach(model, LoraConfig.of(8, 16));
      TrainerConfig config = TrainerConfig.defaults().epochs(20).learningRate(1e-2);
      History history =
          new Trainer(model, new SupervisedObjective(), config).train(DataSet.load(data));
      assertThat(history.steps().getLast().loss())
          .isLessThan(history.steps().getFirst().loss() / 4);
      // The model has never seen EOS, so a short run does not teach it to stop there.
      lora.save(folder.resolve("adapter"));
      assertThat(Generator.text(model, "The llama said", 20)).startsWith("hello to the big sun.");
    }
    try (Device device = Device.open("cpu");
        Llama model = Llama.load(base, device, Weights.NF4)) {
      Lora.load(model, folder.resolve("adapter"));
      assertThat(Generator.text(model, "The llama said", 20)).startsWith("hello to the big sun.");
    }
  }
}
