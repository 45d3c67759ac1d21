package dev.cria.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/**
 * Compares every signature of the bindings with the one that jextract reads out of cria.h. Runs
 * only with {@code -Djextract.home=DIR}, see docs/jextract.md.
 */
class JextractDescriptorsTest {
  private static final String SUFFIX = "$descriptor";

  /** abi_version, version, last_error and entry_points: NativeLibrary links these itself. */
  private static final int LINKED_BY_LOADER = 4;

  private static final List<Class<?>> BINDINGS =
      List.of(
          Attention.class,
          Devices.class,
          Elementary.class,
          Indexing.class,
          Linear.class,
          Losses.class,
          Nf4.class,
          Optimizers.class,
          Random.class,
          SelfCheck.class,
          Transformer.class);

  @Test
  void everyBindingHasTheSignatureThatJextractReadsFromTheHeader() throws Exception {
    String classes = System.getProperty("cria.jextract.classes", "");
    assumeTrue(!classes.isEmpty(), "no -Djextract.home given");
    Map<String, String> generated = generated(Path.of(classes));

    assertThat(generated).hasSizeGreaterThan(50);
    assertThat(generated).isEqualTo(exported());
    for (Class<?> bindings : BINDINGS) {
      MethodHandles.lookup().ensureInitialized(bindings);
    }
    assertThat(generated).containsAllEntriesOf(Abi.linked());
    assertThat(generated.keySet()).hasSize(Abi.linked().size() + LINKED_BY_LOADER);
    System.out.println(
        "jextract: "
            + generated.size()
            + " functions of cria.h, all equal; "
            + Abi.linked().size()
            + " bound");
  }

  /** What jextract generated, as name to "(argument letters)result letter". */
  private static Map<String, String> generated(Path classes) throws Exception {
    Map<String, String> signatures = new TreeMap<>();
    URL[] place = {classes.toUri().toURL()};
    try (URLClassLoader loader = new URLClassLoader(place, null)) {
      for (Method method : loader.loadClass("dev.cria.jextract.CriaHeader").getMethods()) {
        if (method.getName().endsWith(SUFFIX)) {
          String name = method.getName().substring(0, method.getName().length() - SUFFIX.length());
          signatures.put(name, letters((FunctionDescriptor) method.invoke(null)));
        }
      }
    }
    return signatures;
  }

  /** What the library exports. */
  private static Map<String, String> exported() {
    return NativeLibrary.entryPoints()
        .lines()
        .collect(
            Collectors.toMap(
                line -> line.substring(0, line.indexOf('(')),
                line -> line.substring(line.indexOf('('))));
  }

  private static String letters(FunctionDescriptor descriptor) {
    String arguments =
        descriptor.argumentLayouts().stream()
            .map(JextractDescriptorsTest::letter)
            .collect(Collectors.joining());
    return "("
        + arguments
        + ")"
        + descriptor.returnLayout().map(JextractDescriptorsTest::letter).orElse("v");
  }

  private static String letter(MemoryLayout layout) {
    return switch (layout) {
      case AddressLayout address -> "p";
      case ValueLayout.OfInt number -> "i";
      case ValueLayout.OfLong number -> "l";
      case ValueLayout.OfFloat number -> "f";
      case ValueLayout.OfDouble number -> "d";
      default -> throw new AssertionError("cria.h must not use " + layout);
    };
  }
}
