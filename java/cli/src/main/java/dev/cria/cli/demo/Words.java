package dev.cria.cli.demo;

import java.util.Set;
import java.util.SplittableRandom;

/** Made-up words that can be pronounced, and what is true of them. */
final class Words {
  private static final String CONSONANTS = "bdfgklmnprstvz";
  private static final String VOWELS = "aeiou";

  private Words() {}

  /** A word of {@code shortest} to {@code longest} letters, consonants and vowels in turn. */
  static String draw(SplittableRandom random, int shortest, int longest) {
    int length = shortest + random.nextInt(longest - shortest + 1);
    boolean vowel = random.nextBoolean();
    StringBuilder word = new StringBuilder(length);
    for (int i = 0; i < length; i++) {
      String letters = vowel ? VOWELS : CONSONANTS;
      word.append(letters.charAt(random.nextInt(letters.length())));
      vowel = !vowel;
    }
    return word.toString();
  }

  static String backwards(String word) {
    return new StringBuilder(word).reverse().toString();
  }

  /** The word with two different neighbours exchanged; they always differ, being of two kinds. */
  static String swapped(String word, SplittableRandom random) {
    int at = random.nextInt(word.length() - 1);
    return word.substring(0, at) + word.charAt(at + 1) + word.charAt(at) + word.substring(at + 2);
  }

  static String withoutLast(String word) {
    return word.substring(0, word.length() - 1);
  }

  /** Whether some word of the text, a run of letters, is among {@code words}. */
  static boolean mentions(String text, Set<String> words) {
    int start = -1;
    for (int i = 0; i <= text.length(); i++) {
      boolean letter = i < text.length() && Character.isLetter(text.charAt(i));
      if (letter && start < 0) {
        start = i;
      } else if (!letter && start >= 0) {
        if (words.contains(text.substring(start, i))) {
          return true;
        }
        start = -1;
      }
    }
    return false;
  }
}
