package dev.cria.cli.demo;

import dev.cria.llm.Keys;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;

/**
 * Everything the demo's models are trained and examined on. It follows from the seed alone, and no
 * word of the exam, nor the answer to it, is a word of any training text.
 *
 * @param pretraining texts that state facts about words
 * @param demonstrations instructions with the answers of a careless teacher: of most long words
 *     written backwards it forgets the last letter
 * @param pairs instructions with the right answer and a typical mistake
 * @param exam instructions about held-out words, with the right answer and a typical mistake
 * @param taught the exam's instructions as the careless teacher would answer them
 */
public record World(
    List<String> pretraining,
    List<Demonstration> demonstrations,
    List<Pair> pairs,
    List<Pair> exam,
    List<Demonstration> taught) {

  /** An instruction and an answer. */
  public record Demonstration(String instruction, String output) {}

  /** An instruction about a word, its right answer and a wrong one. */
  public record Pair(String word, String instruction, String right, String wrong) {}

  private static final List<String> QUESTIONS =
      List.of("Spell %s backwards.", "What is %s backwards?", "Write the word %s in reverse.");
  private static final List<String> NUMBERS =
      List.of("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten");

  /** Share of long words whose last letter the teacher forgets. */
  static final double CARELESS = 0.8;

  /** The world of a seed. */
  public static World of(Scale scale, long seed) {
    return new Maker(scale, seed).make();
  }

  /** Words that no training text has: those of the exam and their answers. */
  public Set<String> reserved() {
    Set<String> words = new HashSet<>();
    for (Pair item : exam) {
      words.add(item.word());
      words.add(item.right());
    }
    return words;
  }

  /** Every text of every stage of training, by the name of its stage. */
  public Map<String, List<String>> trainingTexts() {
    Map<String, List<String>> texts = new LinkedHashMap<>();
    texts.put("pretraining", pretraining);
    texts.put(
        "sft", demonstrations.stream().map(d -> d.instruction() + "\n" + d.output()).toList());
    texts.put(
        "dpo",
        pairs.stream().map(p -> p.instruction() + "\n" + p.right() + "\n" + p.wrong()).toList());
    return texts;
  }

  /** Draws everything; each part has random numbers of its own. */
  private static final class Maker {
    private final Scale scale;
    private final long seed;
    private final Set<String> reserved = new HashSet<>();

    Maker(Scale scale, long seed) {
      this.scale = scale;
      this.seed = seed;
    }

    World make() {
      List<Pair> exam = exam();
      List<String> texts = new ArrayList<>();
      SplittableRandom random = random("pretraining");
      while (texts.size() < scale.texts()) {
        String text = text(word(random), random);
        if (!Words.mentions(text, reserved)) {
          texts.add(text);
        }
      }
      List<Demonstration> demonstrations = new ArrayList<>();
      random = random("sft");
      while (demonstrations.size() < scale.demonstrations()) {
        Demonstration d = taught(word(random), random);
        if (!Words.mentions(d.instruction() + " " + d.output(), reserved)) {
          demonstrations.add(d);
        }
      }
      List<Pair> pairs = new ArrayList<>();
      random = random("dpo");
      while (pairs.size() < scale.pairs()) {
        Pair p = pair(word(random), random);
        if (!Words.mentions(p.instruction() + " " + p.right() + " " + p.wrong(), reserved)) {
          pairs.add(p);
        }
      }
      SplittableRandom teacher = random("taught");
      List<Demonstration> taught = exam.stream().map(item -> taught(item.word(), teacher)).toList();
      return new World(
          List.copyOf(texts), List.copyOf(demonstrations), List.copyOf(pairs), exam, taught);
    }

    private List<Pair> exam() {
      SplittableRandom random = random("exam");
      List<Pair> exam = new ArrayList<>();
      while (exam.size() < scale.heldOut()) {
        Pair item = pair(word(random), random);
        if (!reserved.contains(item.word()) && !item.word().equals(item.right())) {
          reserved.add(item.word());
          reserved.add(item.right());
          exam.add(item);
        }
      }
      return List.copyOf(exam);
    }

    private SplittableRandom random(String part) {
      return new SplittableRandom(Keys.of(seed, "demo." + part));
    }

    private String word(SplittableRandom random) {
      return Words.draw(random, scale.shortest(), scale.longest());
    }

    /** What a word is backwards, and in every fourth text another fact before or after it. */
    private static String text(String word, SplittableRandom random) {
      String form = random.nextInt(3) < 2 ? "%s backwards is %s." : "%s in reverse is %s.";
      String main = form.formatted(word, Words.backwards(word));
      String other =
          random.nextBoolean()
              ? word + " begins with " + word.charAt(0) + "."
              : word + " has " + NUMBERS.get(word.length()) + " letters.";
      return switch (random.nextInt(8)) {
        case 0 -> main + " " + other;
        case 1 -> other + " " + main;
        default -> main;
      };
    }

    private static String question(String word, SplittableRandom random) {
      return QUESTIONS.get(random.nextInt(QUESTIONS.size())).formatted(word);
    }

    private boolean isLong(String word) {
      return word.length() > scale.carefulUpTo();
    }

    private Demonstration taught(String word, SplittableRandom random) {
      String answer = Words.backwards(word);
      boolean forgets = random.nextDouble() < CARELESS;
      return new Demonstration(
          question(word, random), isLong(word) && forgets ? Words.withoutLast(answer) : answer);
    }

    private Pair pair(String word, SplittableRandom random) {
      String right = Words.backwards(word);
      String wrong;
      do {
        wrong = mistake(word, right, random);
      } while (wrong.equals(right));
      return new Pair(word, question(word, random), right, wrong);
    }

    /** Half the mistakes are that of the teacher, the others of four more kinds. */
    private String mistake(String word, String right, SplittableRandom random) {
      return switch (random.nextInt(8)) {
        case 0 -> Words.swapped(right, random);
        case 1 -> word;
        case 2 -> Words.backwards(word(random));
        case 3 -> right + right.charAt(right.length() - 1);
        default -> Words.withoutLast(right);
      };
    }
  }
}
