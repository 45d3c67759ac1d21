package dev.cria.cli.demo;

import static org.assertj.core.api.Assertions.assertThat;

import dev.cria.cli.demo.World.Demonstration;
import dev.cria.cli.demo.World.Pair;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The texts of the demo are what they claim to be, and the exam is really held out. */
final class WorldTest {
  @TempDir private Path folder = Path.of("");

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void heldOutWordsAreInNoTrainingText(long seed) throws IOException {
    World world = World.of(Scale.full(), seed);
    WorldFiles files = new WorldFiles(folder);
    files.write(world);
    Set<String> trained = new HashSet<>();
    for (Path file : List.of(files.pretraining(), files.demonstrations(), files.pairs())) {
      for (String line : Files.readAllLines(file)) {
        // A line break within a text is written \n: not a letter of the word that follows.
        trained.addAll(List.of(line.replace("\\n", " ").split("[^a-z]+")));
      }
    }
    assertThat(trained).contains("backwards").hasSizeGreaterThan(10_000);
    assertThat(world.exam()).hasSize(Scale.full().heldOut());
    for (Pair item : world.exam()) {
      assertThat(trained.contains(item.word())).as(item.word()).isFalse();
      assertThat(trained.contains(item.right())).as(item.right()).isFalse();
    }
  }

  @Test
  void allTrainingTextsAreInTheFiles() throws IOException {
    World world = World.of(Scale.small(), 1);
    new WorldFiles(folder).write(world);
    Scale scale = Scale.small();
    WorldFiles files = new WorldFiles(folder);
    assertThat(Files.readAllLines(files.pretraining())).hasSize(scale.texts());
    assertThat(Files.readAllLines(files.demonstrations())).hasSize(scale.demonstrations());
    assertThat(Files.readAllLines(files.pairs())).hasSize(scale.pairs());
    assertThat(Files.readAllLines(files.exam())).hasSize(scale.heldOut());
    assertThat(Files.readAllLines(files.taught())).hasSize(scale.heldOut());
  }

  @Test
  void statementsAreTrue() {
    for (String text : World.of(Scale.small(), 1).pretraining()) {
      for (String sentence : text.split("\\. ?")) {
        String[] words = sentence.split(" ");
        switch (words[1]) {
          case "backwards" ->
              assertThat(new StringBuilder(words[3]).reverse()).hasToString(words[0]);
          case "in" -> assertThat(new StringBuilder(words[4]).reverse()).hasToString(words[0]);
          case "begins" -> assertThat(words[0]).startsWith(words[3]);
          case "has" -> assertThat(words[2]).isEqualTo(words[0].length() == 3 ? "three" : "four");
          default -> throw new AssertionError(text);
        }
      }
    }
  }

  @Test
  void teacherForgetsTheLastLetterOfMostLongWordsOnly() {
    Scale scale = Scale.full();
    int careless = 0;
    int all = 0;
    for (Demonstration d : World.of(scale, 1).demonstrations()) {
      String word = wordOf(d.instruction());
      String right = new StringBuilder(word).reverse().toString();
      if (word.length() <= scale.carefulUpTo()) {
        assertThat(d.output()).isEqualTo(right);
      } else {
        all++;
        if (!d.output().equals(right)) {
          careless++;
          assertThat(d.output()).isEqualTo(right.substring(0, right.length() - 1));
        }
      }
    }
    // Five standard deviations of a binomial share.
    double tolerance = 5 * Math.sqrt(World.CARELESS * (1 - World.CARELESS) / all);
    assertThat((double) careless / all)
        .isBetween(World.CARELESS - tolerance, World.CARELESS + tolerance);
  }

  @Test
  void chosenAnswersAreRightAndRejectedOnesWrong() {
    World world = World.of(Scale.full(), 1);
    for (List<Pair> pairs : List.of(world.pairs(), world.exam())) {
      for (Pair pair : pairs) {
        assertThat(wordOf(pair.instruction())).isEqualTo(pair.word());
        assertThat(new StringBuilder(pair.right()).reverse()).hasToString(pair.word());
        assertThat(pair.wrong()).isNotEqualTo(pair.right()).isNotEmpty();
      }
    }
  }

  @Test
  void worldFollowsFromTheSeed() {
    assertThat(World.of(Scale.small(), 7)).isEqualTo(World.of(Scale.small(), 7));
    assertThat(World.of(Scale.small(), 7)).isNotEqualTo(World.of(Scale.small(), 8));
  }

  /** The one word of an instruction that no instruction has of its own. */
  private static String wordOf(String instruction) {
    Set<String> own =
        Set.of("Spell", "backwards", "What", "is", "Write", "the", "word", "in", "reverse");
    List<String> words =
        List.of(instruction.split("[^A-Za-z]+")).stream().filter(w -> !own.contains(w)).toList();
    assertThat(words).hasSize(1);
    return words.getFirst();
  }
}
